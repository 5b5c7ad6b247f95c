// Writes safetensors files: float32, 16 bits or bytes, one tensor or piece of it in memory at a time, renamed into place last.
import { randomBytes } from 'node:crypto'
import { mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { internal } from '../base/errors.ts'
import { writeError } from '../base/files.ts'
import { roundToBfloat16, roundToFloat16 } from './half-precision.ts'

/** How weights are stored. */
export type WeightType = 'F32' | 'BF16' | 'F16'

/** A tensor to write; its values are asked for when its turn comes, whole. */
export interface TensorSource {
  name: string
  shape: number[]
  read(): Float32Array | Promise<Float32Array>
  /** Left out: F32. */
  storedAs?: WeightType
}

/** The same, in pieces one after the other. */
export interface PiecewiseSource extends Omit<TensorSource, 'read'> {
  readPieces(): AsyncIterable<Float32Array>
}

/** A tensor of bytes to write. */
export interface ByteSource {
  name: string
  shape: number[]
  storedAs: 'U8'
  read(): Uint8Array | Promise<Uint8Array>
}

export type AnySource = TensorSource | PiecewiseSource | ByteSource

/** Data begins at a multiple of this, so that tensors can be mapped and used in place. */
const alignment = 64

/** Writes one file whole or not at all. A full disk is a UserError. */
export async function writeSafetensors(
  file: string,
  tensors: readonly AnySource[],
  metadata: Record<string, string> = { format: 'pt' },
): Promise<void> {
  await mkdir(dirname(file), { recursive: true })
  const partial = `${file}.${process.pid}-${randomBytes(4).toString('hex')}.partial`
  try {
    const handle = await open(partial, 'w')
    try {
      await writeAll(handle, makeHeader(tensors, metadata))
      for (const tensor of tensors) {
        let count = 0
        for await (const values of 'readPieces' in tensor ? tensor.readPieces() : [await tensor.read()]) {
          count += values.length
          const stored = store(values, tensor.storedAs)
          await writeAll(handle, new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength))
        }
        if (count !== elements(tensor)) internal(`tensor ${tensor.name} [${tensor.shape}] has ${count} values`)
      }
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(partial, file)
  } catch (error) {
    await rm(partial, { force: true })
    throw writeError(file, error)
  }
}

const elementBytes = { F32: 4, BF16: 2, F16: 2, U8: 1 }

/** Bytes of a tensor as it is stored. */
export function tensorBytes(tensor: AnySource): number {
  return elementBytes[tensor.storedAs ?? 'F32'] * elements(tensor)
}

/** Values as a file has them. */
function store(values: Float32Array | Uint8Array, storedAs: AnySource['storedAs']) {
  if (values instanceof Uint8Array) return values
  if (storedAs === 'BF16') return roundToBfloat16(values)
  return storedAs === 'F16' ? roundToFloat16(values) : values
}

function elements(tensor: AnySource): number {
  return tensor.shape.reduce((product, dim) => product * dim, 1)
}

function makeHeader(tensors: readonly AnySource[], metadata: Record<string, string>): Uint8Array {
  const entries: Record<string, unknown> = { __metadata__: metadata }
  let offset = 0
  for (const tensor of tensors) {
    if (Object.hasOwn(entries, tensor.name)) internal(`two tensors named ${tensor.name}`)
    const end = offset + tensorBytes(tensor)
    entries[tensor.name] = { dtype: tensor.storedAs ?? 'F32', shape: tensor.shape, data_offsets: [offset, end] }
    offset = end
  }
  const text = new TextEncoder().encode(JSON.stringify(entries))
  const header = new Uint8Array(Math.ceil((8 + text.length) / alignment) * alignment).fill(0x20)
  new DataView(header.buffer).setBigUint64(0, BigInt(header.length - 8), true)
  header.set(text, 8)
  return header
}

export async function writeAll(
  handle: { write(bytes: Uint8Array): Promise<{ bytesWritten: number }> },
  bytes: Uint8Array,
): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    done += (await handle.write(bytes.subarray(done, done + (1 << 30)))).bytesWritten
  }
}

// Writes safetensors files: float32, 16 bits or bytes, one tensor in memory at a time or none, renamed into place last.
import { internal } from '../base/errors.ts'
import { fillFileAtomic } from '../base/files.ts'
import { roundToBfloat16, roundToFloat16 } from './half-precision.ts'
import { type StoredTensor, writeAll } from './safetensors.ts'

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

/** The same, which others put into the file, in any order and from any thread. */
export interface PlacedSource extends Omit<TensorSource, 'read'> {
  /** Writes the tensor's bytes, all of them, to where it will lie. */
  writeTo(place: StoredTensor): Promise<void>
}

/** A tensor of bytes to write. */
export interface ByteSource {
  name: string
  shape: number[]
  storedAs: 'U8'
  read(): Uint8Array | Promise<Uint8Array>
}

export type AnySource = TensorSource | PlacedSource | ByteSource

/** Data begins at a multiple of this, so that tensors can be mapped and used in place. */
const alignment = 64

/** Writes one file whole or not at all. A full disk is a UserError. */
export async function writeSafetensors(
  file: string,
  tensors: readonly AnySource[],
  metadata: Record<string, string> = { format: 'pt' },
): Promise<void> {
  await fillFileAtomic(file, async (handle, partial) => {
    const header = makeHeader(tensors, metadata)
    await writeAll(handle, header)
    let offset = header.length
    for (const tensor of tensors) {
      const { name, shape, storedAs: dtype = 'F32' } = tensor
      const bytes = tensorBytes(tensor)
      if ('writeTo' in tensor) {
        await tensor.writeTo({ name, shape, dtype, file: partial, offset, bytes })
      } else {
        const values = await tensor.read()
        const stored = values instanceof Uint8Array ? values : storeValues(values, tensor.storedAs as WeightType)
        if (stored.byteLength !== bytes) internal(`tensor ${name} [${shape}] has ${values.length} values`)
        await writeAll(handle, bytesOf(stored), offset)
      }
      offset += bytes
    }
  })
}

const elementBytes = { F32: 4, BF16: 2, F16: 2, U8: 1 }

/** Bytes of a tensor as it is stored. */
export function tensorBytes(tensor: AnySource): number {
  return elementBytes[tensor.storedAs ?? 'F32'] * elements(tensor)
}

/** Values as a file has them; 16 bits into an array of the caller's where one is given. */
export function storeValues(
  values: Float32Array,
  storedAs: WeightType = 'F32',
  halves?: Uint16Array<ArrayBuffer>,
): Float32Array | Uint16Array {
  if (storedAs === 'F32') return values
  return storedAs === 'BF16' ? roundToBfloat16(values, halves) : roundToFloat16(values, halves)
}

const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView) => new Uint8Array(buffer, byteOffset, byteLength)

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

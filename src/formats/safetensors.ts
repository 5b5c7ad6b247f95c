// Safetensors files: the header checked against lies and truncation, tensors read one at a time as float32.
import { type FileHandle, open } from 'node:fs/promises'
import { messageOf, UserError } from '../base/errors.ts'
import { readError } from '../base/files.ts'
import { widenBfloat16, widenFloat16 } from './half-precision.ts'

/** Bytes of one element, by the name that the header uses. */
const elementBytes: Record<string, number> = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U64: 8,
  U32: 4,
  U16: 2,
  U8: 1,
  BOOL: 1,
  F8_E4M3: 1,
  F8_E5M2: 1,
}

/** The format's own limit on a header (safetensors, Rust implementation). */
const maxHeaderBytes = 100_000_000

/** Where a tensor lies: float32 ones can be used in place, at this offset of this file. */
export interface StoredTensor {
  name: string
  /** Element type as the header names it: F32, BF16, F16, ... */
  dtype: string
  shape: number[]
  file: string
  /** From the start of the file, bytes. */
  offset: number
  bytes: number
}

/** Opens a file and checks its header whole. A damaged, lying or foreign file is a UserError that names it and the tensor. */
export async function readSafetensorsHeader(
  file: string,
): Promise<{ tensors: Map<string, StoredTensor>; metadata: Record<string, string> }> {
  const handle = await openForReading(file)
  try {
    const { size } = await handle.stat()
    if (size < 8) throw damaged(file, `it has ${size} bytes, too few for a header`)
    const start = new Uint8Array(await readBytes(handle, file, 0, Math.min(size, 9)))
    if (isPickle(start)) {
      throw new UserError(
        `${file}: a pickle file of PyTorch, not safetensors. meikai does not open pickles, which can run code: convert it (safe_serialization=True in transformers).`,
      )
    }
    const headerBytes = new DataView(start.buffer).getBigUint64(0, true)
    if (headerBytes > BigInt(maxHeaderBytes)) {
      throw damaged(file, `its header claims ${headerBytes} bytes, more than the format allows`)
    }
    const dataStart = 8 + Number(headerBytes)
    if (dataStart > size) throw damaged(file, `its header claims ${headerBytes} bytes, the file has ${size}`)
    const text = await readBytes(handle, file, 8, Number(headerBytes))
    return checkHeader(file, parseHeader(file, text), dataStart, size - dataStart)
  } finally {
    await handle.close()
  }
}

/**
 * A zip archive or a bare pickle of protocol 2 to 5. A header's length may begin with the same bytes (640 is 80 02),
 * but is followed by the header's brace.
 */
function isPickle(start: Uint8Array): boolean {
  const isZip = start[0] === 0x50 && start[1] === 0x4b
  const isBare = start[0] === 0x80 && start[1]! >= 2 && start[1]! <= 5
  return (isZip || isBare) && start[8] !== 0x7b
}

function parseHeader(file: string, bytes: ArrayBuffer): Record<string, unknown> {
  let header: unknown
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (error) {
    throw damaged(file, `its header is not JSON (${messageOf(error)})`)
  }
  if (!isRecord(header)) throw damaged(file, 'its header is not a JSON object')
  return header
}

function checkHeader(file: string, header: Record<string, unknown>, dataStart: number, dataBytes: number) {
  const tensors = new Map<string, StoredTensor>()
  let metadata: Record<string, string> = {}
  for (const [name, entry] of Object.entries(header)) {
    if (name === '__metadata__') {
      if (!isRecord(entry) || !Object.values(entry).every((value) => typeof value === 'string')) {
        throw damaged(file, '__metadata__ is not an object of texts')
      }
      metadata = entry as Record<string, string>
      continue
    }
    tensors.set(name, checkEntry(file, name, entry, dataStart, dataBytes))
  }
  let end = dataStart
  for (const tensor of [...tensors.values()].sort((a, b) => a.offset - b.offset || a.bytes - b.bytes)) {
    if (tensor.offset !== end) {
      throw damaged(
        file,
        `tensor ${tensor.name} ${tensor.offset < end ? 'overlaps its neighbour' : 'leaves a gap before it'}`,
      )
    }
    end += tensor.bytes
  }
  if (end !== dataStart + dataBytes) {
    throw damaged(file, `${dataStart + dataBytes - end} bytes after the last tensor belong to none`)
  }
  return { tensors, metadata }
}

function checkEntry(file: string, name: string, entry: unknown, dataStart: number, dataBytes: number): StoredTensor {
  if (!isRecord(entry)) throw damaged(file, `tensor ${name} has no description`)
  const { dtype, shape, data_offsets: offsets } = entry
  const size = typeof dtype === 'string' ? elementBytes[dtype] : undefined
  if (size === undefined) throw damaged(file, `tensor ${name} has an unknown type ${JSON.stringify(dtype)}`)
  if (!isCounts(shape)) throw damaged(file, `tensor ${name} has no valid shape`)
  if (!isCounts(offsets) || offsets.length !== 2) throw damaged(file, `tensor ${name} has no valid data_offsets`)
  const [begin, end] = offsets as [number, number]
  const bytes = shape.reduce((product, dim) => product * dim, size)
  if (end - begin !== bytes) {
    throw damaged(
      file,
      `tensor ${name}: ${dtype} [${shape}] takes ${bytes} bytes, its data_offsets hold ${end - begin}`,
    )
  }
  if (end > dataBytes) {
    throw damaged(file, `tensor ${name} ends at byte ${end} of its data, the file has ${dataBytes}`)
  }
  return { name, dtype: dtype as string, shape, file, offset: dataStart + begin, bytes }
}

/** Reads one tensor as float32 (from F32, BF16 or F16); other types are a UserError. */
export async function readTensor(tensor: StoredTensor): Promise<Float32Array> {
  for await (const values of readPieces(tensor, Number.POSITIVE_INFINITY)) return values
  return new Float32Array()
}

/** Values that are read at a time where a tensor is not needed whole: 16 MB of float32. */
export const pieceValues = 2 ** 22

/** The same, at most `count` values at a time, so that a tensor of any size takes little memory. */
export async function* readPieces(tensor: StoredTensor, count: number): AsyncGenerator<Float32Array> {
  const values = tensor.shape.reduce((product, dim) => product * dim, 1)
  for (let from = 0; from < values; from += count) {
    yield await readValues(tensor, from, Math.min(count, values - from))
  }
}

/** Some of a tensor's values as float32, into an array of the caller's where one is given. */
export async function readValues(
  tensor: StoredTensor,
  from: number,
  count: number,
  into = new Float32Array(count),
): Promise<Float32Array> {
  // 16 bits are widened from the end of the array that they fill: each is read before it is written over.
  return widenValues(await readStored(tensor, from, count, into), tensor.dtype, into)
}

/** The same as they are stored, at the end of an array of the caller's. */
export async function readStored(
  tensor: StoredTensor,
  from: number,
  count: number,
  into: Float32Array<ArrayBuffer>,
): Promise<Float32Array | Uint16Array> {
  const { file, offset } = tensor
  const type = checkType(tensor)
  const size = elementBytes[type]!
  const stored = new (type === 'F32' ? Float32Array : Uint16Array)(
    into.buffer,
    into.byteOffset + count * (4 - size),
    count,
  )
  const handle = await openForReading(file)
  try {
    await fillBytes(handle, file, offset + from * size, new Uint8Array(into.buffer, stored.byteOffset, count * size))
  } finally {
    await handle.close()
  }
  return stored
}

/** Values as float32 from how they are stored; 16 bits into an array of the caller's where one is given. */
export function widenValues(
  stored: Float32Array | Uint16Array,
  type: string,
  into?: Float32Array<ArrayBuffer>,
): Float32Array {
  if (stored instanceof Float32Array) return stored
  return type === 'BF16' ? widenBfloat16(stored, into) : widenFloat16(stored, into)
}

const openForReading = (file: string) =>
  open(file).catch((error) => {
    throw readError(file, error)
  })

/** The type of weights that can be read; another is a UserError. */
function checkType({ name, dtype, file }: StoredTensor): 'F32' | 'BF16' | 'F16' {
  if (dtype === 'F32' || dtype === 'BF16' || dtype === 'F16') return dtype
  throw new UserError(
    `${file}: tensor ${name} is stored as ${dtype}; weights in F32, BF16 and F16 can be read. Convert the model to one of these.`,
  )
}

/** Bytes that are copied at a time. */
const copiedBytes = 8 * 2 ** 20

/** Copies a tensor's bytes to a place of the same type and shape. */
export async function copyTensor(tensor: StoredTensor, place: StoredTensor): Promise<void> {
  checkType(tensor)
  const from = await openForReading(tensor.file)
  try {
    const to = await open(place.file, 'r+')
    try {
      const buffer = new Uint8Array(Math.min(copiedBytes, tensor.bytes))
      for (let at = 0; at < tensor.bytes; at += buffer.length) {
        const bytes = buffer.subarray(0, tensor.bytes - at)
        await fillBytes(from, tensor.file, tensor.offset + at, bytes)
        await writeAll(to, bytes, place.offset + at)
      }
    } finally {
      await to.close()
    }
  } finally {
    await from.close()
  }
}

/** Writes all of some bytes. @param position in the file, bytes; left out: where the last write ended. */
export async function writeAll(handle: Pick<FileHandle, 'write'>, bytes: Uint8Array, position?: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const at = position === undefined ? null : position + done
    done += (await handle.write(bytes, done, Math.min(bytes.length - done, 1 << 30), at)).bytesWritten
  }
}

/** Exactly `count` bytes from `offset`; a file that ends before is a UserError. */
export async function readBytes(handle: FileHandle, file: string, offset: number, count: number): Promise<ArrayBuffer> {
  const bytes = new Uint8Array(count)
  await fillBytes(handle, file, offset, bytes)
  return bytes.buffer
}

async function fillBytes(handle: FileHandle, file: string, offset: number, bytes: Uint8Array): Promise<void> {
  const count = bytes.length
  let done = 0
  while (done < count) {
    // One read is limited to 2 GiB by the system.
    const { bytesRead } = await handle.read(bytes, done, Math.min(count - done, 1 << 30), offset + done)
    if (bytesRead === 0) throw damaged(file, `it ends at byte ${offset + done}, ${count - done} bytes early`)
    done += bytesRead
  }
}

function damaged(file: string, reason: string): UserError {
  return new UserError(`${file}: not a whole safetensors file: ${reason}. Copy or download it again.`)
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0)
}

// Writes GGUF files: metadata and tensors, one tensor in memory at a time, renamed into place last.
import { internal } from '../base/errors.ts'
import { fillFileAtomic } from '../base/files.ts'
import {
  type Encoding,
  encodedBytes,
  encodeValues,
  encodings,
  type GgufMetadata,
  type GgufValue,
  ggufAlignment,
  ggufMagic,
  ggufVersion,
  valueTypes,
} from './gguf.ts'
import { writeAll } from './safetensors.ts'
import type { TensorSource } from './safetensors-writer.ts'

/** A tensor to write. Its last dimension is one that the encoding can hold. */
export interface GgufTensorSource extends TensorSource {
  encoding: Encoding
}

/** Writes one file whole or not at all. A full disk is a UserError. */
export async function writeGguf(file: string, metadata: GgufMetadata, tensors: GgufTensorSource[]): Promise<void> {
  await fillFileAtomic(file, async (handle) => {
    await writeAll(handle, padded(makeHeader(metadata, tensors)))
    for (const tensor of tensors) {
      const values = await tensor.read()
      if (values.length !== countValues(tensor))
        internal(`${tensor.name} [${tensor.shape}] has ${values.length} values`)
      await writeAll(handle, padded(encodeValues(tensor.encoding, values)))
    }
  })
}

function makeHeader(metadata: GgufMetadata, tensors: GgufTensorSource[]): Uint8Array {
  const bytes = new ByteWriter()
  bytes.uint32(ggufMagic)
  bytes.uint32(ggufVersion)
  bytes.uint64(tensors.length)
  bytes.uint64(metadata.size)
  for (const [key, value] of metadata) {
    bytes.string(key)
    bytes.uint32(valueTypes[value.type])
    writeValue(bytes, value)
  }
  let offset = 0
  for (const { name, shape, encoding, ...tensor } of tensors) {
    if (shape.at(-1)! % encodings[encoding].values !== 0) internal(`${name} [${shape}] cannot be ${encoding}`)
    bytes.string(name)
    bytes.uint32(shape.length)
    for (const size of shape.toReversed()) bytes.uint64(size)
    bytes.uint32(encodings[encoding].number)
    bytes.uint64(offset)
    offset += alignedUp(encodedBytes(encoding, countValues({ name, shape, ...tensor })))
  }
  return bytes.take()
}

function writeValue(bytes: ByteWriter, value: GgufValue): void {
  if (value.type === 'array') {
    bytes.uint32(valueTypes[value.of])
    bytes.uint64(value.values.length)
    if (value.of === 'string') for (const one of value.values) bytes.string(one)
    else if (value.of === 'int32') for (const one of value.values) bytes.uint32(one)
    else for (const one of value.values) bytes.float32(one)
  } else if (value.type === 'string') bytes.string(value.value)
  else if (value.type === 'bool') bytes.uint8(value.value ? 1 : 0)
  else if (value.type === 'float32') bytes.float32(value.value)
  else bytes.uint32(value.value)
}

function countValues({ shape }: TensorSource): number {
  return shape.reduce((product, size) => product * size, 1)
}

function alignedUp(bytes: number): number {
  return Math.ceil(bytes / ggufAlignment) * ggufAlignment
}

function padded(bytes: Uint8Array): Uint8Array {
  if (bytes.length === alignedUp(bytes.length)) return bytes
  const result = new Uint8Array(alignedUp(bytes.length))
  result.set(bytes)
  return result
}

/** Bytes that grow as they are written. */
class ByteWriter {
  private bytes = Buffer.alloc(1 << 16)
  private length = 0

  uint8(value: number): void {
    this.reserve(1)
    this.length = this.bytes.writeUInt8(value, this.length)
  }

  /** Negative numbers as two's complement. */
  uint32(value: number): void {
    this.reserve(4)
    this.length = this.bytes.writeUInt32LE(value >>> 0, this.length)
  }

  uint64(value: number): void {
    this.reserve(8)
    this.length = this.bytes.writeBigUInt64LE(BigInt(value), this.length)
  }

  float32(value: number): void {
    this.reserve(4)
    this.length = this.bytes.writeFloatLE(value, this.length)
  }

  string(value: string): void {
    const bytes = Buffer.from(value)
    this.uint64(bytes.length)
    this.reserve(bytes.length)
    this.length += bytes.copy(this.bytes, this.length)
  }

  take(): Uint8Array {
    return this.bytes.subarray(0, this.length)
  }

  private reserve(count: number): void {
    if (this.length + count <= this.bytes.length) return
    const larger = Buffer.alloc(Math.max(2 * this.bytes.length, this.length + count))
    this.bytes.copy(larger)
    this.bytes = larger
  }
}

// GGUF, version 3: the one-file form of llama.cpp. What stands in it, in the order in which it stands:
// magic, version, counts; metadata as key, type, value; of each tensor name, sizes, encoding and offset; the data, aligned.
// Everything is little endian. Sizes are written innermost first, the reverse of a shape.
import { UserError } from '../base/errors.ts'
import { encodeFloat16, roundToBfloat16, widenBfloat16, widenFloat16 } from './half-precision.ts'

export const ggufMagic = 0x46554747 // 'GGUF'
export const ggufVersion = 3
/** Tensors begin at multiples of this within the data. */
export const ggufAlignment = 32

/** Types of metadata, by the number that stands before a value. */
export const valueTypes = { uint32: 4, int32: 5, float32: 6, bool: 7, string: 8, array: 9 } as const

export type GgufScalar =
  | { type: 'uint32' | 'int32' | 'float32'; value: number }
  | { type: 'bool'; value: boolean }
  | { type: 'string'; value: string }

export type GgufList =
  | { type: 'array'; of: 'int32' | 'float32'; values: readonly number[] }
  | { type: 'array'; of: 'string'; values: readonly string[] }

export type GgufValue = GgufScalar | GgufList

export type GgufMetadata = Map<string, GgufValue>

export const uint32 = (value: number): GgufValue => ({ type: 'uint32', value })
export const float32 = (value: number): GgufValue => ({ type: 'float32', value })
export const flag = (value: boolean): GgufValue => ({ type: 'bool', value })
export const text = (value: string): GgufValue => ({ type: 'string', value })

/** Encodings of tensors: ggml's number, and how many values make how many bytes. */
export const encodings = {
  F32: { number: 0, values: 1, bytes: 4 },
  Q8_0: { number: 8, values: 32, bytes: 34 },
  BF16: { number: 30, values: 1, bytes: 2 },
} as const
export type Encoding = keyof typeof encodings

/** Bytes of so many values. A row of Q8_0 must be whole blocks; callers choose another encoding where it is not. */
export function encodedBytes(encoding: Encoding, values: number): number {
  const { values: block, bytes } = encodings[encoding]
  return (values / block) * bytes
}

/** float32 values in an encoding, as bytes. */
export function encodeValues(encoding: Encoding, values: Float32Array): Uint8Array {
  if (encoding === 'F32') return new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
  return encoding === 'BF16' ? new Uint8Array(roundToBfloat16(values).buffer) : encodeQ8(values)
}

/** Blocks of 32: scale d = max |x| / 127 as float16, then round(x / d) as int8 (ggml's Q8_0: halves away from zero). */
function encodeQ8(values: Float32Array): Uint8Array {
  const result = new Uint8Array(encodedBytes('Q8_0', values.length))
  const view = new DataView(result.buffer)
  for (let block = 0, at = 0; block < values.length; block += 32, at += 34) {
    let largest = 0
    for (let i = 0; i < 32; i++) largest = Math.max(largest, Math.abs(values[block + i]!))
    const scale = Math.fround(largest / 127)
    const inverse = scale === 0 ? 0 : Math.fround(1 / scale)
    view.setUint16(at, encodeFloat16(scale), true)
    for (let i = 0; i < 32; i++) {
      const scaled = Math.fround(values[block + i]! * inverse)
      view.setInt8(at + 2 + i, Math.sign(scaled) * Math.floor(Math.abs(scaled) + 0.5))
    }
  }
  return result
}

/** The values of an encoding, as float32. */
export function decodeValues(encoding: Encoding, bytes: Uint8Array): Float32Array {
  const aligned = bytes.slice()
  if (encoding === 'F32') return new Float32Array(aligned.buffer)
  if (encoding === 'BF16') return widenBfloat16(new Uint16Array(aligned.buffer))
  const view = new DataView(aligned.buffer)
  const values = new Float32Array((bytes.length / 34) * 32)
  const scales = widenFloat16(Uint16Array.from({ length: bytes.length / 34 }, (_, i) => view.getUint16(34 * i, true)))
  for (let i = 0; i < values.length; i++) {
    values[i] = scales[i >> 5]! * view.getInt8(34 * (i >> 5) + 2 + (i & 31))
  }
  return values
}

/** The error for a file that is not GGUF as we know it. */
export function damagedGguf(file: string, reason: string): UserError {
  return new UserError(`${file}: not a whole GGUF file: ${reason}.`)
}

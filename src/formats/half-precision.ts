// Numbers of 16 bits as bit patterns: bfloat16 (float32's upper half) and IEEE 754 half precision, widened and rounded, into an
// array of the caller's where one is given.

/** bfloat16 bit patterns -> float32: the upper half of the bits. */
export function widenBfloat16(halves: Uint16Array, into = new Float32Array(halves.length)): Float32Array {
  const bits = new Uint32Array(into.buffer, into.byteOffset, halves.length)
  for (let i = 0; i < halves.length; i++) bits[i] = halves[i]! << 16
  return into
}

/** float32 -> bfloat16 bit patterns, to the nearest, ties to even. */
export function roundToBfloat16(values: Float32Array, into = new Uint16Array(values.length)): Uint16Array {
  // As signed integers, which stay small ones in the engine's machine code: the sum may wrap, its upper half is the same.
  const bits = new Int32Array(values.buffer, values.byteOffset, values.length)
  for (let i = 0; i < bits.length; i++) {
    const value = bits[i]!
    const isNoNumber = (value & 0x7fffffff) > 0x7f800000
    into[i] = isNoNumber ? (value >>> 16) | 0x40 : ((value + 0x7fff + ((value >>> 16) & 1)) | 0) >>> 16
  }
  return into
}

/** IEEE 754 half precision bit patterns -> float32. */
export function widenFloat16(halves: Uint16Array, into = new Float32Array(halves.length)): Float32Array {
  for (let i = 0; i < halves.length; i++) into[i] = float16Values[halves[i]!]!
  return into
}

/** What each pattern of half precision stands for. */
const float16Values = Float32Array.from({ length: 2 ** 16 }, (_, half) => {
  const exponent = (half >> 10) & 31
  const fraction = half & 1023
  const sign = half & 0x8000 ? -1 : 1
  if (exponent === 0) return sign * fraction * 2 ** -24
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
})

/** float32 -> half precision bit patterns, to the nearest, ties to even; beyond the range: infinity. */
export function roundToFloat16(values: Float32Array, into = new Uint16Array(values.length)): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length)
  for (let i = 0; i < bits.length; i++) {
    const magnitude = bits[i]! & 0x7fffffff
    into[i] = ((bits[i]! >>> 16) & 0x8000) | roundMagnitude(magnitude, Math.abs(values[i]!))
  }
  return into
}

/** The bits of a value that is not negative, from its own bits as float32. */
function roundMagnitude(bits: number, value: number): number {
  if (bits > 0x7f800000) return 0x7e00 // no number
  if (bits >= 0x47800000) return 0x7c00 // 2^16 and above
  if (bits < 0x38800000) return roundHalfToEven(value * 2 ** 24) // subnormal: below 2^-14
  // Ten bits of the fraction stay, and the exponent counts from 15 in place of 127; a carry out of them is right too.
  return (bits - 0x38000000 + 0xfff + ((bits >>> 13) & 1)) >>> 13
}

/** The nearest float16 of one value. */
export const encodeFloat16 = (value: number): number => roundToFloat16(Float32Array.of(value))[0]!

function roundHalfToEven(value: number): number {
  const floor = Math.floor(value)
  const rest = value - floor
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor
}

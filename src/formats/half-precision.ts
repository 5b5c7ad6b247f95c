// Numbers of 16 bits as bit patterns: bfloat16 (float32's upper half) and IEEE 754 half precision, widened and rounded.

/** bfloat16 bit patterns -> float32: the upper half of the bits. */
export function widenBfloat16(halves: Uint16Array): Float32Array {
  const bits = new Uint32Array(halves.length)
  for (let i = 0; i < halves.length; i++) bits[i] = halves[i]! << 16
  return new Float32Array(bits.buffer)
}

/** float32 -> bfloat16 bit patterns, to the nearest, ties to even. */
export function roundToBfloat16(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length)
  const halves = new Uint16Array(values.length)
  for (let i = 0; i < bits.length; i++) {
    const value = bits[i]!
    const isNoNumber = (value & 0x7fffffff) > 0x7f800000
    halves[i] = isNoNumber ? (value >>> 16) | 0x40 : (value + 0x7fff + ((value >>> 16) & 1)) >>> 16
  }
  return halves
}

/** IEEE 754 half precision bit patterns -> float32. */
export function widenFloat16(halves: Uint16Array): Float32Array {
  const result = new Float32Array(halves.length)
  for (let i = 0; i < halves.length; i++) {
    const half = halves[i]!
    const exponent = (half >> 10) & 31
    const fraction = half & 1023
    const magnitude =
      exponent === 0
        ? fraction * 2 ** -24
        : exponent === 31
          ? fraction === 0
            ? Number.POSITIVE_INFINITY
            : Number.NaN
          : (1 + fraction / 1024) * 2 ** (exponent - 15)
    result[i] = half & 0x8000 ? -magnitude : magnitude
  }
  return result
}

/** float32 -> half precision bit patterns, to the nearest, ties to even; beyond the range: infinity. */
export function roundToFloat16(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length)
  const halves = new Uint16Array(values.length)
  for (let i = 0; i < bits.length; i++) {
    const sign = (bits[i]! >>> 16) & 0x8000
    const magnitude = Math.abs(values[i]!)
    halves[i] = sign | (Number.isNaN(magnitude) ? 0x7e00 : encodeFloat16(magnitude))
  }
  return halves
}

/** The nearest float16 of a value that is not negative, ties to even, as bits; beyond the range: infinity. */
export function encodeFloat16(value: number): number {
  if (value >= 65520) return 0x7c00
  if (value < 2 ** -14) return roundHalfToEven(value * 2 ** 24) // subnormal; 1024 is the smallest normal one
  const exponent = Math.floor(Math.log2(value))
  // log2 may be off by one beside a power of two: the fraction says so.
  const shift = value / 2 ** exponent >= 2 ? exponent + 1 : value / 2 ** exponent < 1 ? exponent - 1 : exponent
  return ((shift + 15) << 10) + roundHalfToEven((value / 2 ** shift - 1) * 1024)
}

function roundHalfToEven(value: number): number {
  const floor = Math.floor(value)
  const rest = value - floor
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor
}

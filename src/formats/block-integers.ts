// Weights as signed integers of 8 or 4 bits in blocks along a row, each block with its own scale: the form of ONNX Runtime's MatMulNBits.

export interface BlockForm {
  bits: 4 | 8
  /** Weights a scale: a power of two from 16 on. */
  block: number
}

/**
 * A weight [outputs, inputs] in blocks. Codes [outputs, blocks, block * bits / 8] are integers plus 2^(bits-1), of 4 bits two a
 * byte with the first one in the lower half; scales [outputs, blocks]. A row's last block is filled up with zeros.
 */
export interface BlockIntegers {
  codes: Uint8Array
  scales: Float32Array
}

/** The shapes of a weight's codes and scales. */
export function blockShapes([outputs, inputs]: readonly [number, number], { bits, block }: BlockForm) {
  const blocks = Math.ceil(inputs / block)
  return { codes: [outputs, blocks, (block * bits) / 8], scales: [outputs, blocks] }
}

/** Each weight to the nearest multiple of its block's scale, which is the largest magnitude over 127 (of 4 bits: 7). Ties go up. */
export function quantiseBlocks(values: Float32Array, inputs: number, form: BlockForm): BlockIntegers {
  const { bits, block } = form
  const shapes = blockShapes([values.length / inputs, inputs], form)
  const zero = 2 ** (bits - 1)
  const [outputs, blocks] = shapes.scales as [number, number]
  const scales = new Float32Array(outputs * blocks)
  const integers = new Uint8Array(outputs * blocks * block).fill(zero)
  for (let at = 0; at < scales.length; at++) {
    const row = Math.floor(at / blocks)
    const from = row * inputs + (at % blocks) * block
    const to = Math.min(from + block, (row + 1) * inputs)
    let largest = 0
    for (let i = from; i < to; i++) largest = Math.max(largest, Math.abs(values[i]!))
    const scale = Math.fround(largest / (zero - 1))
    scales[at] = scale
    if (scale === 0) continue
    const start = at * block
    for (let i = from; i < to; i++) {
      const nearest = Math.floor(values[i]! / scale + 0.5)
      integers[start + i - from] = zero + Math.max(1 - zero, Math.min(zero - 1, nearest)) // a scale may be rounded down
    }
  }
  return { codes: bits === 8 ? integers : packHalves(integers), scales }
}

/** The weights that the codes stand for, [outputs, inputs]. */
export function dequantiseBlocks({ codes, scales }: BlockIntegers, inputs: number, form: BlockForm): Float32Array {
  const { bits, block } = form
  const blocks = Math.ceil(inputs / block)
  const zero = 2 ** (bits - 1)
  const values = new Float32Array((scales.length / blocks) * inputs)
  for (let i = 0; i < values.length; i++) {
    const row = Math.floor(i / inputs)
    const place = row * blocks * block + (i % inputs)
    const integer = bits === 8 ? codes[place]! : (codes[place >> 1]! >> (4 * (place & 1))) & 15
    values[i] = (integer - zero) * scales[Math.floor(place / block)]!
  }
  return values
}

function packHalves(integers: Uint8Array): Uint8Array {
  return Uint8Array.from({ length: integers.length / 2 }, (_, i) => integers[2 * i]! | (integers[2 * i + 1]! << 4))
}

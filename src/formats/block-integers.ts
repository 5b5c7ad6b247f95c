// Weights as signed 8-bit integers in blocks along a row, each block with its own scale: the form of ONNX Runtime's MatMulNBits.

/**
 * A weight [outputs, inputs] in blocks: codes [outputs, blocks, block] are integers plus 128, scales [outputs, blocks]. A row's last
 * block is filled up with zeros.
 */
export interface BlockIntegers {
  codes: Uint8Array
  scales: Float32Array
}

/** The code of 0. */
const zero = 128

/** The shapes of a weight's codes and scales. */
export function blockShapes([outputs, inputs]: readonly [number, number], block: number) {
  const blocks = Math.ceil(inputs / block)
  return { codes: [outputs, blocks, block], scales: [outputs, blocks] }
}

/**
 * Each weight to the nearest multiple of its block's scale, which is the largest magnitude over 127. Ties go up.
 * @param block weights a scale; MatMulNBits takes powers of two from 16 on.
 */
export function quantiseBlocks(values: Float32Array, inputs: number, block: number): BlockIntegers {
  const shapes = blockShapes([values.length / inputs, inputs], block)
  const [outputs, blocks] = shapes.scales as [number, number]
  const scales = new Float32Array(outputs * blocks)
  const codes = new Uint8Array(outputs * blocks * block).fill(zero)
  for (let at = 0; at < scales.length; at++) {
    const row = Math.floor(at / blocks)
    const from = row * inputs + (at % blocks) * block
    const to = Math.min(from + block, (row + 1) * inputs)
    let largest = 0
    for (let i = from; i < to; i++) largest = Math.max(largest, Math.abs(values[i]!))
    const scale = Math.fround(largest / 127)
    scales[at] = scale
    if (scale === 0) continue
    const start = at * block
    for (let i = from; i < to; i++) {
      const nearest = Math.floor(values[i]! / scale + 0.5)
      codes[start + i - from] = zero + Math.max(-127, Math.min(127, nearest)) // a scale may be rounded down
    }
  }
  return { codes, scales }
}

/** The weights that the codes stand for, [outputs, inputs]. */
export function dequantiseBlocks({ codes, scales }: BlockIntegers, inputs: number, block: number): Float32Array {
  const blocks = Math.ceil(inputs / block)
  const values = new Float32Array((scales.length / blocks) * inputs)
  for (let i = 0; i < values.length; i++) {
    const place = Math.floor(i / inputs) * blocks * block + (i % inputs)
    values[i] = (codes[place]! - zero) * scales[Math.floor(place / block)]!
  }
  return values
}

// Integers in blocks against values by hand, and against what ONNX Runtime computes with them.
import { describe, expect, it } from 'vitest'
import { Random } from '../base/random.ts'
import { input, matmulBlocks, parameter } from '../graph/build.ts'
import { compile } from '../runtime/session.ts'
import { blockShapes, dequantiseBlocks, quantiseBlocks } from './block-integers.ts'

/** A block that begins with these values; the others are 0. */
const block = (...values: number[]) => Float32Array.from({ length: 16 }, (_, i) => values[i] ?? 0)

describe('codes', () => {
  it.each([
    // The block's largest magnitude is 127, so that its scale is 1.
    { values: [127, -127, 0.4, -0.4, 3.5, -3.5], codes: [255, 1, 128, 128, 132, 125] },
    { values: [-127, 1.5, 1.49], codes: [1, 130, 129] },
    { values: [], codes: [128, 128] },
  ])('of $values', ({ values, codes }) => {
    expect([...quantiseBlocks(block(...values), 16, 16).codes.subarray(0, codes.length)]).toEqual(codes)
  })

  it('stand beside a scale a block and row; the last block of a row is filled up', () => {
    const values = Float32Array.from({ length: 2 * 20 }, (_, i) =>
      i === 3 ? 127 : i === 18 ? -254 : i === 25 ? 63.5 : 0,
    )
    const { codes, scales } = quantiseBlocks(values, 20, 16)
    expect([...scales]).toEqual([1, 2, 0.5, 0])
    expect(codes).toHaveLength(4 * 16)
    expect([codes[3], codes[16 + 2], codes[16 + 4], codes[32 + 5]]).toEqual([255, 1, 128, 255])
    expect(dequantiseBlocks({ codes, scales }, 20, 16)).toEqual(values)
  })
})

it.each([16, 32, 128])('blocks of %i: no weight is off by more than half a scale', (length) => {
  const random = new Random(3, 'blocks')
  const inputs = 72
  const values = Float32Array.from({ length: 40 * inputs }, (_, i) => (1 + (i >> 8)) * random.normal())
  const quantised = quantiseBlocks(values, inputs, length)
  const found = dequantiseBlocks(quantised, inputs, length)
  const blocks = Math.ceil(inputs / length)
  values.forEach((value, i) => {
    const scale = quantised.scales[Math.floor(i / inputs) * blocks + Math.floor((i % inputs) / length)]!
    expect(Math.abs(found[i]! - value)).toBeLessThanOrEqual(scale * 0.50001)
  })
  expect(quantiseBlocks(found, inputs, length).codes).toEqual(quantised.codes)
})

/** What a product is where x too becomes integers of 8 bits, block by block. */
function multiply(x: Float32Array, weight: Float32Array, inputs: number, length: number): number[] {
  const rounded = dequantiseBlocks(quantiseBlocks(x, inputs, length), inputs, length)
  const outputs = weight.length / inputs
  return Array.from({ length: (x.length / inputs) * outputs }, (_, i) => {
    const [n, o] = [Math.floor(i / outputs), i % outputs]
    let total = 0
    for (let k = 0; k < inputs; k++) total += rounded[n * inputs + k]! * weight[o * inputs + k]!
    return total
  })
}

it.each([
  [16, 64],
  [32, 72],
  [128, 896],
])('ONNX Runtime multiplies with what blocks of %i stand for (%i inputs)', async (length, inputs) => {
  const [rows, outputs] = [5, 24]
  const random = new Random(5, 'product')
  const x = Float32Array.from({ length: rows * inputs }, () => random.normal())
  const stored = quantiseBlocks(
    Float32Array.from({ length: outputs * inputs }, () => random.normal()),
    inputs,
    length,
  )
  const shapes = blockShapes([outputs, inputs], length)
  const [codes, scales] = [parameter('codes', shapes.codes, 'uint8'), parameter('scales', shapes.scales)]
  const graph = { y: matmulBlocks(input('x', ['n', inputs]), codes, scales, { inputs }) }
  const place = (name: string) => ({ shape: shapes[name as 'codes'], data: stored[name as 'codes'] })
  const executable = await compile(graph, { threads: 1, weights: place })
  const { y } = await executable.run({ x: { shape: [rows, inputs], data: x } })
  await executable.release()
  const wanted = multiply(x, dequantiseBlocks(stored, inputs, length), inputs, length)
  const largest = Math.max(...wanted.map(Math.abs))
  // Ties of x are rounded to even there.
  wanted.forEach((value, i) => {
    expect(Math.abs(y!.data[i]! - value) / largest).toBeLessThan(1e-3)
  })
})

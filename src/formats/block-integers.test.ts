// Integers in blocks against values by hand, and against what ONNX Runtime computes with them.
import { describe, expect, it } from 'vitest'
import { Random } from '../base/random.ts'
import { input, matmulBits, parameter } from '../graph/build.ts'
import { compile } from '../runtime/session.ts'
import { type BlockForm, blockShapes, dequantiseBlocks, quantiseBlocks } from './block-integers.ts'

const eight: BlockForm = { bits: 8, block: 16 }
const four: BlockForm = { bits: 4, block: 16 }
/** A block that begins with these values; the others are 0. */
const block = (...values: number[]) => Float32Array.from({ length: 16 }, (_, i) => values[i] ?? 0)

describe('codes', () => {
  it.each([
    // The block's largest magnitude is 127, so that its scale is 1.
    { form: eight, values: [127, -127, 0.4, -0.4, 3.5, -3.5], codes: [255, 1, 128, 128, 132, 125] },
    { form: eight, values: [-127, 1.5, 1.49], codes: [1, 130, 129] },
    { form: { bits: 8, block: 32 } as const, values: [], codes: [128, 128] },
    // Two a byte, the first in the lower half.
    { form: four, values: [7, -7, 0.4, 2.5, -2.5, 0], codes: [0x1f, 0xb8, 0x86] },
    { form: four, values: [], codes: [0x88] },
  ])('of %j', ({ form, values, codes }) => {
    const { codes: found } = quantiseBlocks(block(...values), 16, form)
    expect([...found.subarray(0, codes.length)]).toEqual(codes)
  })

  it('stand beside a scale a block and row; the last block of a row is filled up', () => {
    const values = Float32Array.from({ length: 2 * 20 }, (_, i) =>
      i === 3 ? 127 : i === 18 ? -254 : i === 25 ? 63.5 : 0,
    )
    const { codes, scales } = quantiseBlocks(values, 20, eight)
    expect([...scales]).toEqual([1, 2, 0.5, 0])
    expect(codes).toHaveLength(4 * 16)
    expect([codes[3], codes[16 + 2], codes[16 + 4], codes[32 + 5]]).toEqual([255, 1, 128, 255])
    expect(dequantiseBlocks({ codes, scales }, 20, eight)).toEqual(values)
  })
})

it.each([eight, four, { bits: 8, block: 128 } as const])('%j: no weight is off by more than half a scale', (form) => {
  const random = new Random(3, 'blocks')
  const inputs = 72
  const values = Float32Array.from({ length: 40 * inputs }, (_, i) => (1 + (i >> 8)) * random.normal())
  const quantised = quantiseBlocks(values, inputs, form)
  const found = dequantiseBlocks(quantised, inputs, form)
  const blocks = Math.ceil(inputs / form.block)
  values.forEach((value, i) => {
    const scale = quantised.scales[Math.floor(i / inputs) * blocks + Math.floor((i % inputs) / form.block)]!
    expect(Math.abs(found[i]! - value)).toBeLessThanOrEqual(scale * 0.50001)
  })
  expect(quantiseBlocks(found, inputs, form).codes).toEqual(quantised.codes)
})

/** What a product is where x too becomes integers of 8 bits, block by block. */
function multiply(x: Float32Array, weight: Float32Array, inputs: number, { block }: BlockForm): number[] {
  const rounded = dequantiseBlocks(quantiseBlocks(x, inputs, { bits: 8, block }), inputs, { bits: 8, block })
  const outputs = weight.length / inputs
  return Array.from({ length: (x.length / inputs) * outputs }, (_, i) => {
    const [n, o] = [Math.floor(i / outputs), i % outputs]
    let total = 0
    for (let k = 0; k < inputs; k++) total += rounded[n * inputs + k]! * weight[o * inputs + k]!
    return total
  })
}

it.each([
  [eight, 64],
  [{ bits: 8, block: 32 } as const, 72],
  [{ bits: 8, block: 128 } as const, 896],
  [four, 64],
  [{ bits: 4, block: 32 } as const, 72],
])('ONNX Runtime multiplies with what %j stand for (%i inputs)', async (form, inputs) => {
  const [rows, outputs] = [5, 24]
  const random = new Random(5, 'product')
  const x = Float32Array.from({ length: rows * inputs }, () => random.normal())
  const stored = quantiseBlocks(
    Float32Array.from({ length: outputs * inputs }, () => random.normal()),
    inputs,
    form,
  )
  const shapes = blockShapes([outputs, inputs], form)
  const weight = { codes: parameter('codes', shapes.codes, 'uint8'), scales: parameter('scales', shapes.scales) }
  const graph = { y: matmulBits(input('x', ['n', inputs]), weight, { inputs, bits: form.bits }) }
  const place = (name: string) => ({ shape: shapes[name as 'codes'], data: stored[name as 'codes'] })
  const executable = await compile(graph, { threads: 1, weights: place })
  const { y } = await executable.run({ x: { shape: [rows, inputs], data: x } })
  await executable.release()
  const wanted = multiply(x, dequantiseBlocks(stored, inputs, form), inputs, form)
  const largest = Math.max(...wanted.map(Math.abs))
  // Ties of x are rounded to even there.
  wanted.forEach((value, i) => {
    expect(Math.abs(y!.data[i]! - value) / largest).toBeLessThan(1e-3)
  })
})

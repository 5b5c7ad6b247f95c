// Products of 8-bit integers beside the same integers multiplied by hand.
import { expect, it } from 'vitest'
import { gradients } from '../autodiff/gradients.ts'
import { Random } from '../base/random.ts'
import { quantiseInt8, roundToInt8 } from '../formats/int8.ts'
import * as g from '../graph/build.ts'
import { checkInt8Products } from './int8-check.ts'
import { compile } from './session.ts'

const [rows, outputs, inputs] = [6, 40, 24]
const random = new Random(7, 'int8')
const weight = Float32Array.from({ length: outputs * inputs }, () => random.normal())
weight.set([0, 1e-3, 300], 5 * inputs) // a row whose largest weight is far above the others
const { codes, transposed, scales } = quantiseInt8(weight, inputs)
const placed = {
  codes: { shape: [outputs, inputs], data: codes },
  transposed: { shape: [inputs, outputs], data: transposed },
  scales: { shape: [outputs], data: scales },
}
const stood = roundToInt8(weight, inputs)

/** Rows of very different sizes; one of zeros alone, one too small for its share of a float32's range. */
const makeRows = (width: number) =>
  Float32Array.from(
    { length: rows * width },
    (_, i) => random.normal() * [1, 1e4, 0, 1e-4, 1e-30, 50][Math.floor(i / width)]!,
  )

/** What a row becomes: the nearest multiples of its largest magnitude over 127. */
function roundRows(x: Float32Array, width: number): Float32Array {
  return x.map((value, i) => {
    const start = width * Math.floor(i / width)
    const largest = x.subarray(start, start + width).reduce((most, one) => Math.max(most, Math.abs(one)), 0)
    return largest === 0 ? 0 : (Math.round((value / largest) * 127) * largest) / 127
  })
}

/** a [rows, inner] times b, which gives b(inner, column). */
function multiply(a: Float32Array, inner: number, width: number, b: (k: number, column: number) => number) {
  return Array.from({ length: rows * width }, (_, i) => {
    let total = 0
    for (let k = 0; k < inner; k++) total += a[Math.floor(i / width) * inner + k]! * b(k, i % width)
    return total
  })
}

async function run(x: Float32Array, upstream: Float32Array, count = rows) {
  const input = g.input('x', ['n', inputs])
  const frozen = {
    codes: g.parameter('codes', [outputs, inputs], 'int8'),
    transposed: g.parameter('transposed', [inputs, outputs], 'int8'),
    scales: g.parameter('scales', [outputs]),
  }
  const y = g.matmulInt8(input, frozen)
  const [dx] = gradients(g.sum(g.multiply(y, g.input('upstream', ['n', outputs]))), [input])
  const executable = await compile(
    { y, dx: dx! },
    { threads: 2, weights: (name) => placed[name as keyof typeof placed] },
  )
  const results = await executable.run({
    x: { shape: [count, inputs], data: x },
    upstream: { shape: [count, outputs], data: upstream },
  })
  await executable.release()
  return { y: results.y!.data, dx: results.dx!.data }
}

it('multiplies what activations and weights are rounded to, forward and backward', async () => {
  const [x, upstream] = [makeRows(inputs), makeRows(outputs)]
  const { y, dx } = await run(x, upstream)
  const expectedY = multiply(roundRows(x, inputs), inputs, outputs, (k, o) => stood[o * inputs + k]!)
  const weighted = upstream.map((value, i) => value * scales[i % outputs]!)
  const signed = new Int8Array(codes)
  const expectedDx = multiply(roundRows(weighted, outputs), outputs, inputs, (o, k) => signed[o * inputs + k]!)
  for (const [found, expected, width] of [
    [y, expectedY, outputs],
    [dx, expectedDx, inputs],
  ] as const) {
    expected.forEach((value, i) => {
      const row = expected.slice(width * Math.floor(i / width), width * Math.floor(i / width) + width)
      const largest = Math.max(...row.map(Math.abs))
      expect(Math.abs(found[i]! - value), `[${i}]`).toBeLessThanOrEqual(1e-5 * largest)
    })
  }
})

it('gives a row the same bits alone and beside others', async () => {
  const [x, upstream] = [makeRows(inputs), makeRows(outputs)]
  const all = await run(x, upstream)
  const lone = await run(x.slice(0, inputs), upstream.slice(0, outputs), 1)
  expect(all.y.slice(0, outputs)).toEqual(lone.y)
  expect(all.dx.slice(0, inputs)).toEqual(lone.dx)
})

it('finds this machine exact, as those are that train in 8 bits', async () => {
  await expect(checkInt8Products(1)).resolves.toBeUndefined()
})

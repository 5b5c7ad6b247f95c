// Every operation's gradient against central differences in float64, and every operation in ONNX Runtime against the interpreter.
import { describe, expect, it } from 'vitest'
import { type Array64, array64, interpret } from '../../test/graph-interpreter.ts'
import { Random } from '../base/random.ts'
import { quantiseNf4 } from '../formats/nf4.ts'
import * as g from '../graph/build.ts'
import type { Operation } from '../graph/operations.ts'
import { printGraph } from '../graph/print.ts'
import { sortValues, type Value } from '../graph/value.ts'
import { onnxRules } from '../runtime/onnx-rules.ts'
import { compile } from '../runtime/session.ts'
import { gradients } from './gradients.ts'

interface Case {
  /** Builds a value from inputs x, y, z of the given shapes. */
  build: (x: Value, y: Value, z: Value) => Value
  x: number[]
  y?: number[]
  z?: number[]
  /** Whole-number inputs: their values, by name. */
  indices?: Record<string, { shape: number[]; values: number[] }>
  /** Keep x and y away from zero and negative numbers. */
  positive?: boolean
}

const indices = (name: string, values: number[], shape = [values.length]) => ({ [name]: { shape, values } })
const indexInput = (name: string, ...shape: number[]) => g.input(name, shape, 'int32')
const drawNoise = (count: number) => [...new Random(1, 'noise').fillBits(new Int32Array(count))]
const headTargets = indices('t', [2, 0, 4, 2])
type HeadBuilder = (hidden: Value, head: Value, targets: Value, chunk: number) => Value
const headCase = (chunk: number, operation: HeadBuilder = g.tokenLogProbability): Case => ({
  x: [4, 3],
  y: [5, 3],
  indices: headTargets,
  build: (x, y) => operation(x, y, indexInput('t', 4), chunk),
})

const cases: Record<string, Case> = {
  add: { build: g.add, x: [2, 3], y: [3] },
  subtract: { build: g.subtract, x: [2, 1, 3], y: [4, 1] },
  multiply: { build: g.multiply, x: [2, 3], y: [2, 1] },
  divide: { build: g.divide, x: [2, 3], y: [2, 3], positive: true },
  negate: { build: g.negate, x: [4] },
  exp: { build: g.exp, x: [4] },
  log: { build: g.log, x: [4], positive: true },
  sqrt: { build: g.sqrt, x: [4], positive: true },
  sigmoid: { build: g.sigmoid, x: [5] },
  silu: { build: g.silu, x: [5] },
  softplus: { build: g.softplus, x: [5] },
  'softplus far out': { build: (x) => g.softplus(g.multiply(x, g.constant(60))), x: [4] },
  softmax: { build: g.softmax, x: [3, 4] },
  'softmax times values': { build: (x, y) => g.matmul(g.softmax(x), y), x: [2, 3, 4], y: [2, 4, 5] },
  'softmax times values, transposed': {
    build: (x, y) => g.matmul(g.softmax(x), y, { transposeB: true, scale: 0.5 }),
    x: [2, 3, 4],
    y: [2, 5, 4],
  },
  transpose: { build: (x) => g.transpose(x, [2, 0, 1]), x: [2, 3, 4] },
  reshape: { build: (x) => g.reshape(x, [3, 4]), x: [2, 6] },
  expand: { build: (x) => g.expand(x, [2, 3, 4]), x: [3, 1] },
  slice: { build: (x) => g.slice(x, 1, 1, 2), x: [2, 4] },
  pad: { build: (x) => g.pad(x, 0, 1, 2), x: [2, 3] },
  after: { build: g.after, x: [2, 3], y: [2] },
  concat: { build: (x, y, z) => g.concat([x, y, z], 1), x: [2, 1], y: [2, 3], z: [2, 2] },
  sum: { build: (x) => g.sum(x, [1], true), x: [2, 3, 2] },
  'sum without axes kept': { build: (x) => g.sum(x, [0, 2]), x: [2, 3, 2] },
  gather: { build: (x) => g.gather(x, indexInput('i', 4)), x: [3, 2], indices: indices('i', [2, 0, 2, 1]) },
  scatterRows: {
    build: (x) => g.scatterRows(indexInput('i', 4), x, 3),
    x: [4, 2],
    indices: indices('i', [2, 0, 2, 2]),
  },
  dropout: {
    build: (x) => g.dropout(x, indexInput('n', 20, 7), 0.4, 0x9e3779b9 | 0),
    x: [20, 5],
    indices: indices('n', drawNoise(140), [20, 7]),
  },
  rotate: {
    build: (x, y, z) => g.rotate(x, y, z, indexInput('p', 2, 3)),
    x: [2, 2, 3, 4],
    y: [5, 2],
    z: [5, 2],
    indices: indices('p', [0, 1, 2, 4, 0, 3], [2, 3]),
  },
  rmsNormalize: { build: (x, y) => g.rmsNormalize(x, y, 1e-6), x: [2, 3, 4], y: [4] },
  inverseRms: { build: (x) => g.inverseRms(x, 1e-6), x: [3, 4] },
  tokenLogProbability: headCase(0),
  'tokenLogProbability in chunks': headCase(2),
  tokenLogProbabilityDirection: headCase(0, g.tokenLogProbabilityDirection),
  'tokenLogProbabilityDirection in chunks': headCase(2, g.tokenLogProbabilityDirection),
}
for (const transposeA of [false, true]) {
  for (const transposeB of [false, true]) {
    const options = { transposeA, transposeB, scale: 0.5 }
    cases[`matmul${transposeA ? ' transposeA' : ''}${transposeB ? ' transposeB' : ''}`] = {
      build: (x, y) => g.matmul(x, y, options),
      x: transposeA ? [2, 4, 3] : [2, 3, 4],
      y: transposeB ? [5, 4] : [4, 5],
    }
  }
}
for (const chunk of [0, 2]) {
  cases[`tokenLogProbabilityHeadGradient${chunk ? ' in chunks' : ''}`] = {
    x: [4, 3],
    y: [5, 3],
    z: [4],
    indices: headTargets,
    build: (x, y, z) => g.tokenLogProbabilityHeadGradient(x, y, indexInput('t', 4), z, chunk),
  }
}
/** Built by gradient rules only: they have no gradient themselves. */
const withoutGradient: Operation[] = [
  'after',
  'inverseRms',
  'tokenLogProbabilityDirection',
  'tokenLogProbabilityHeadGradient',
]

function prepare(name: string) {
  const { build, x, y = [1], z = [1], indices = {}, positive } = cases[name]!
  const random = new Random(7, name)
  const inputs = { x: g.input('x', x), y: g.input('y', y), z: g.input('z', z) }
  const feeds: Record<string, Array64> = {}
  for (const [key, shape] of Object.entries({ x, y, z })) {
    feeds[key] = array64(shape, () => (positive ? 0.5 + random.uniform() : random.normal()))
  }
  for (const [key, { shape, values }] of Object.entries(indices)) feeds[key] = array64(shape, values)
  const value = build(inputs.x, inputs.y, inputs.z)
  const weights = array64(value.shape as number[], () => random.normal())
  // A weighted sum, so that every element of the result has a gradient of its own.
  const loss = g.sum(g.multiply(value, g.input('w', value.shape)))
  feeds.w = weights
  return { value, loss, inputs, feeds }
}

function wantedInputs(name: string, loss: Value, inputs: Record<string, Value>): [string, Value][] {
  const used = new Set(sortValues([loss]))
  // The rotary tables are constants of the model: rotate has a gradient for x alone.
  return Object.entries(inputs).filter(([key, value]) => used.has(value) && (name !== 'rotate' || key === 'x'))
}

it('has a case for every operation', () => {
  const leaves = ['input', 'parameter', 'constant']
  const elsewhere = ['matmulNf4', 'matmulBlocks', 'matmulInt8', 'largest', 'pick', 'draw'] // have tests of their own
  const covered = new Set(Object.keys(cases).map((name) => name.split(' ')[0]))
  const known = new Set([...leaves, ...elsewhere, ...covered])
  expect(Object.keys(onnxRules).filter((operation) => !known.has(operation))).toEqual([])
})

describe('gradients', () => {
  for (const name of Object.keys(cases)) {
    if (withoutGradient.some((operation) => name.startsWith(operation))) continue
    it(`${name} agrees with central differences`, () => {
      const { loss, inputs, feeds } = prepare(name)
      const wanted = wantedInputs(name, loss, inputs)
      const found = gradients(
        loss,
        wanted.map(([, value]) => value),
      )
      const results = interpret(Object.fromEntries(wanted.map(([key], i) => [key, found[i]!])), feeds)
      const lossAt = () => interpret({ loss }, feeds).loss!.data[0]!
      for (const [key] of wanted) {
        const { data } = feeds[key]!
        for (let i = 0; i < data.length; i++) {
          const kept = data[i]!
          const step = 1e-5
          data[i] = kept + step
          const above = lossAt()
          data[i] = kept - step
          const below = lossAt()
          data[i] = kept
          const expected = (above - below) / (2 * step)
          expect(Math.abs(results[key]!.data[i]! - expected), `${key}[${i}]`).toBeLessThan(
            1e-7 * Math.max(1, Math.abs(expected)),
          )
        }
      }
    })
  }

  it('adds up where a value is used twice, and stops at a target inside the graph', () => {
    const x = g.input('x', [2])
    const y = g.multiply(x, x)
    const loss = g.sum(g.multiply(y, x))
    const [dx, dy] = gradients(loss, [x, y])
    const result = interpret({ dx: dx!, dy: dy! }, { x: array64([2], [2, -3]) })
    expect([...result.dx!.data]).toEqual([12, 27])
    expect([...result.dy!.data]).toEqual([2, -3])
  })

  it('joins the gradients of slices that lie side by side, and adds those of others', () => {
    const x = g.input('x', ['n', 5])
    const parts = [g.slice(x, 1, 0, 2), g.slice(x, 1, 2, 3)]
    const loss = g.sum(g.multiply(parts[0]!, parts[0]!))
    const whole = g.add(loss, g.sum(parts[1]!))
    expect(printGraph({ dx: gradients(whole, [x])[0]! })).toMatch(/= concat\(%\d+, %\d+; axis 1\) \[n, 5\]\nreturn/)
    const overlapping = g.add(loss, g.sum(g.slice(x, 1, 1, 4)))
    expect(printGraph({ dx: gradients(overlapping, [x])[0]! })).toMatch(/= add\(%\d+, %\d+\) \[n, 5\]\nreturn/)
  })

  it('computes values again between those that are kept, and gives the same', () => {
    const x = g.input('x', ['n'])
    const w = g.input('w', ['n'])
    const middle = g.silu(g.multiply(g.exp(x), w))
    const loss = g.sum(g.multiply(g.exp(g.multiply(middle, w)), w))
    const kept = [x, middle]
    const again = gradients(loss, [x, w], { kept })
    // The second segment lies behind the last kept value; the first is computed again from x once middle's gradient is there.
    expect(printGraph({ dx: again[0]! }).match(/= (exp|silu|after)\(/g)).toEqual([
      '= exp(',
      '= silu(',
      '= exp(',
      '= after(',
      '= exp(',
      '= silu(',
    ])
    const feeds = { x: array64([3], [0.5, -1, 2]), w: array64([3], [1, 0.3, -0.7]) }
    const [dx, dw] = gradients(loss, [x, w])
    const direct = interpret({ dx: dx!, dw: dw! }, feeds)
    const recomputed = interpret({ dx: again[0]!, dw: again[1]! }, feeds)
    expect(recomputed).toEqual(direct)
  })

  it('computes quick values again, each once, and gives the same', () => {
    const x = g.input('x', ['n'])
    const w = g.input('w', ['n'])
    const inner = g.silu(x)
    const outer = g.silu(g.multiply(inner, w))
    const loss = g.sum(g.multiply(outer, w))
    const again = gradients(loss, [x, w], { quick: new Set([inner, outer]) })
    // The outer silu is computed again once its gradient is there; the inner one's input is fed, so a copy would be the same.
    expect(printGraph({ dx: again[0]! }).match(/= (silu|after)\(/g)).toEqual(['= silu(', '= after(', '= silu('])
    const feeds = { x: array64([3], [0.5, -1, 2]), w: array64([3], [1, 0.3, -0.7]) }
    const [dx, dw] = gradients(loss, [x, w])
    expect(interpret({ dx: again[0]!, dw: again[1]! }, feeds)).toEqual(interpret({ dx: dx!, dw: dw! }, feeds))
  })

  it('refuses a loss that is no scalar and a target that the loss does not reach', () => {
    const x = g.input('x', [2])
    expect(() => gradients(x, [x])).toThrow('not that of a scalar')
    expect(() => gradients(g.sum(x), [g.input('z', [])])).toThrow('does not depend')
  })

  it('builds a small, readable graph', () => {
    const x = g.input('x', ['rows', 3])
    const w = g.parameter('w', [2, 3])
    const loss = g.sum(g.matmul(x, w, { transposeB: true }))
    expect(printGraph({ dx: gradients(loss, [x])[0]! })).toMatchInlineSnapshot(`
      "%0 = parameter(w) [2, 3]
      %1 = constant(1) []
      %2 = reshape(%1) [1, 1]
      %3 = expand(%2) [rows, 2]
      %4 = matmul(%3, %0) [rows, 3]
      return dx: %4"
    `)
  })
})

describe('ONNX Runtime', () => {
  for (const name of Object.keys(cases)) {
    it(`${name} agrees with the interpreter`, async () => {
      const { value, loss, inputs, feeds } = prepare(name)
      const outputs: Record<string, Value> = { value }
      if (!withoutGradient.some((operation) => name.startsWith(operation))) {
        const wanted = wantedInputs(name, loss, inputs)
        gradients(
          loss,
          wanted.map(([, input]) => input),
        ).forEach((gradient, i) => {
          outputs[`d ${wanted[i]![0]}`] = gradient
        })
      }
      const expected = interpret(outputs, feeds)
      const executable = await compile(outputs, { threads: 1 })
      const floats = Object.entries(feeds).map(([key, { shape, data }]) => {
        const whole = key in (cases[name]!.indices ?? {})
        return [key, { shape, data: whole ? Int32Array.from(data) : Float32Array.from(data) }] as const
      })
      const results = await executable.run(Object.fromEntries(floats))
      await executable.release()
      for (const [key, { data, shape }] of Object.entries(expected)) {
        expect(results[key]!.shape, key).toEqual(shape)
        results[key]!.data.forEach((x, i) => {
          expect(Math.abs(x - data[i]!), `${key}[${i}]`).toBeLessThan(2e-5 * Math.max(1, Math.abs(data[i]!)))
        })
      }
    })
  }
})

it('a product with a weight in blocks has no gradient', () => {
  const x = g.input('x', ['n', 32])
  const codes = g.parameter('codes', [8, 1, 32], 'uint8')
  const y = g.matmulBlocks(x, codes, g.parameter('scales', [8, 1]), { inputs: 32 })
  expect(() => gradients(g.sum(y), [x])).toThrow('no gradient')
})

it('an NF4 product and its gradient are those of the weights that the codes stand for', async () => {
  const [outputs, inputs] = [24, 16]
  const random = new Random(7, 'nf4')
  const weight = quantiseNf4(Float32Array.from({ length: outputs * inputs }, () => random.normal()))
  const codes = g.parameter('codes', [(outputs * inputs) / 2], 'uint8')
  const scales = g.parameter('scales', [(outputs * inputs) / 64])
  const x = g.input('x', ['n', inputs])
  const w = g.input('w', ['n', outputs])
  const value = g.matmulNf4(x, codes, scales, { outputs, inputs, backward: false })
  const [dx] = gradients(g.sum(g.multiply(value, w)), [x])
  const feeds = {
    x: array64([5, inputs], () => random.normal()),
    w: array64([5, outputs], () => random.normal()),
    codes: array64([(outputs * inputs) / 2], weight.codes),
    scales: array64([(outputs * inputs) / 64], weight.scales),
  }
  const expected = interpret({ value, dx: dx! }, feeds)
  const placed = { codes: weight.codes, scales: weight.scales }
  const executable = await compile(
    { value, dx: dx! },
    { threads: 1, weights: (name) => ({ shape: feeds[name as 'codes'].shape, data: placed[name as 'codes'] }) },
  )
  const tensor = ({ shape, data }: Array64) => ({ shape, data: Float32Array.from(data) })
  const results = await executable.run({ x: tensor(feeds.x), w: tensor(feeds.w) })
  await executable.release()
  for (const key of ['value', 'dx']) {
    results[key]!.data.forEach((found, i) => {
      expect(Math.abs(found - expected[key]!.data[i]!), `${key}[${i}]`).toBeLessThan(2e-5)
    })
  }
})

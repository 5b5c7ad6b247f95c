// Merging in 16 bits: each tensor's own type, pieces as the whole beside sums in double, and what rounding changed.
import { mkdtempSync, rmSync } from 'node:fs'
import { mkdir, readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { readJson, writeJson } from '../../base/files.ts'
import { Random } from '../../base/random.ts'
import { writeAdapter } from '../../formats/adapter.ts'
import { roundToBfloat16, roundToFloat16, widenBfloat16, widenFloat16 } from '../../formats/half-precision.ts'
import { roundWeight } from '../../formats/quantised-forms.ts'
import { readTensor } from '../../formats/safetensors.ts'
import type { WeightType } from '../../formats/safetensors-writer.ts'
import { openWeights, writeWeights } from '../../formats/weights.ts'
import { mergeAdapter } from './merge.ts'

const folder = mkdtempSync(join(tmpdir(), 'meikai-merge-'))
afterAll(() => rmSync(folder, { recursive: true }))

const random = new Random(1, 'merge')
const normal = (size: number, spread = 0.02) => Float32Array.from({ length: size }, () => spread * random.normal())
const [outputs, inputs, rank] = [96, 128, 4]
const weight = normal(outputs * inputs)
const factors = { a: normal(rank * inputs, 0.1), b: normal(outputs * rank, 0.1) }
const query = 'model.layers.0.self_attn.q_proj.weight'
const norm = 'model.norm.weight'

const adapter = join(folder, 'adapter')
beforeAll(async () => {
  await mkdir(adapter)
  const config = { rank, alpha: 8, targetModules: ['q_proj'], baseModel: '' }
  await writeAdapter(adapter, config, [{ weight: query, outputs, inputs, ...factors }])
})

async function writeModel(name: string, storedAs: WeightType): Promise<string> {
  const model = join(folder, name)
  await mkdir(model)
  await writeJson(join(model, 'config.json'), { dtype: 'bfloat16' })
  await writeWeights(model, [
    { name: query, shape: [outputs, inputs], storedAs, read: () => weight },
    { name: norm, shape: [3], storedAs: 'F32', read: () => Float32Array.of(1, 2, 1 / 3) },
  ])
  return model
}

const types: [WeightType, string, (values: Float32Array) => Float32Array][] = [
  ['BF16', 'bfloat16', (values) => widenBfloat16(roundToBfloat16(values))],
  ['F16', 'float16', (values) => widenFloat16(roundToFloat16(values))],
  ['F32', 'float32', (values) => values],
]

it.each(types)('keeps each tensor in its own type and rounds once (%s)', async (type, name, round) => {
  const model = await writeModel(type, type)
  const merged = join(folder, `${type}-merged`)
  const record = await mergeAdapter(model, adapter, merged)
  const { tensors } = await openWeights(merged)
  expect([...tensors.values()].map(({ dtype }) => dtype)).toEqual([type, 'F32'])
  expect(await readJson(join(merged, 'config.json'))).toEqual({ dtype: name })
  const start = round(weight)
  const exact = addExactly(start, factors, rank, 2)
  const rounded = round(exact)
  expectClose(await readTensor(tensors.get(query)!), exact, type)
  expect(await readTensor(tensors.get(norm)!)).toEqual(Float32Array.of(1, 2, 1 / 3))

  const norms = (values: Float32Array) => Math.hypot(...values)
  const added = exact.map((value, i) => value - start[i]!)
  const lost = rounded.map((value, i) => value - exact[i]!)
  expect(record.storedAs).toBe(type)
  expect(record.adapterShare).toBeCloseTo(norms(added) / norms(start), 6)
  expect(record.roundingShare).toBeCloseTo(norms(lost) / norms(added), 6)
  expect(record.roundingShare > 0).toBe(type !== 'F32')
})

it('stores everything in the type that is asked for', async () => {
  const model = await writeModel('widened', 'F32')
  const merged = join(folder, 'narrowed')
  await mergeAdapter(model, adapter, merged, { storedAs: 'BF16' })
  expect([...(await openWeights(merged)).tensors.values()].map(({ dtype }) => dtype)).toEqual(['BF16', 'BF16'])
  expect(await readJson(join(merged, 'config.json'))).toEqual({ dtype: 'bfloat16' })
})

/** weight [outputs, inputs] + scale x B·A, summed in double and rounded once. */
function addExactly(from: Float32Array, { a, b }: typeof factors, ranks: number, scale: number): Float32Array {
  const width = a.length / ranks
  return from.map((value, i) => {
    const [row, column] = [Math.floor(i / width), i % width]
    let sum = 0
    for (let r = 0; r < ranks; r++) sum += b[row * ranks + r]! * a[r * width + column]!
    return value + scale * sum
  })
}

/** The widest that two neighbours of a type lie apart around a value, over the value. */
const step = { F32: 2 ** -23, BF16: 2 ** -7, F16: 2 ** -10 }

/**
 * Sums in float32 are off by rounding errors of their terms: the merged weights are those summed in double within a
 * millionth of the largest, which in 16 bits moves one in a thousand to its neighbour at most.
 */
function expectClose(found: Float32Array, exact: Float32Array, type: WeightType): void {
  const [, , round] = types.find(([name]) => name === type)!
  const rounded = round(exact)
  const largest = exact.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
  let moved = 0
  let worst = 0
  found.forEach((value, i) => {
    if (value === rounded[i]) return
    moved++
    const allowed = type === 'F32' ? 0 : step[type] * Math.abs(exact[i]!)
    worst = Math.max(worst, Math.abs(value - rounded[i]!) - allowed)
  })
  expect(worst).toBeLessThan(1e-6 * largest)
  if (type !== 'F32') expect(moved).toBeLessThan(exact.length / 1000)
}

it.each(['nf4', 'int8', undefined] as const)(
  'makes pieces of a large weight what the whole becomes (%s)',
  async (form) => {
    // Three pieces of whole rows, the last one short.
    const [rows, columns, ranks] = [2100, 1024, 8]
    const large = normal(rows * columns)
    const own = { a: normal(ranks * columns, 0.1), b: normal(rows * ranks, 0.1) }
    const model = join(folder, `large-${form}`)
    await mkdir(model)
    await writeJson(join(model, 'config.json'), {})
    await writeWeights(model, [{ name: query, shape: [rows, columns], storedAs: 'BF16', read: () => large }])
    const changes = join(folder, `large-${form}-adapter`)
    await mkdir(changes)
    const config = { rank: ranks, alpha: 8, targetModules: ['q_proj'], baseModel: '' }
    await writeAdapter(changes, config, [{ weight: query, outputs: rows, inputs: columns, ...own }])
    const merged = join(folder, `large-${form}-merged`)
    await mergeAdapter(model, changes, merged, { formOf: () => form })
    const start = widenBfloat16(roundToBfloat16(large))
    const trained = form === undefined ? start : roundWeight[form](start, columns)
    const found = await readTensor((await openWeights(merged)).tensors.get(query)!)
    expectClose(found, addExactly(trained, own, ranks, 1), 'BF16')
  },
)

it('stops at the signal, and leaves nothing behind', async () => {
  const model = await writeModel('stopped', 'F32')
  const signal = AbortSignal.abort(new Error('enough'))
  await expect(mergeAdapter(model, adapter, join(folder, 'never'), { signal })).rejects.toThrow('enough')
  expect((await readdir(folder)).filter((name) => name.startsWith('never'))).toEqual([])
})

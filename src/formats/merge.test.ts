// Merging in 16 bits: each tensor's own type, NF4 and 8 bits in pieces as in one, and what rounding changed.
import { mkdtempSync, rmSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { readJson, writeJson } from '../base/files.ts'
import { Random } from '../base/random.ts'
import { writeAdapter } from './adapter.ts'
import { roundToBfloat16, roundToFloat16, widenBfloat16, widenFloat16 } from './half-precision.ts'
import { addLowRank, mergeAdapter } from './merge.ts'
import { nf4Block } from './nf4.ts'
import { roundPieces, roundWeight } from './quantised-forms.ts'
import { readTensor } from './safetensors.ts'
import type { WeightType } from './safetensors-writer.ts'
import { openWeights, writeWeights } from './weights.ts'

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
  const exact = start.slice()
  addLowRank(exact, factors, 2)
  const rounded = round(exact)
  expect(await readTensor(tensors.get(query)!)).toEqual(rounded)
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

it.each(['nf4', 'int8'] as const)('gives in pieces what %s makes of the whole', async (form) => {
  const values = normal(700 * nf4Block, 1)
  const cuts = [0, 3, 4, 300, 700].map((block) => block * nf4Block)
  const read = async function* () {
    for (const [i, cut] of cuts.slice(1).entries()) yield values.slice(cuts[i], cut)
  }
  const pieces: number[] = []
  for await (const piece of roundPieces[form](read, nf4Block)) pieces.push(...piece)
  expect(Float32Array.from(pieces)).toEqual(roundWeight[form](values, nf4Block))
})

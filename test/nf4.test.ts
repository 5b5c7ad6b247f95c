// A base in NF4: what is trained, merged and sampled are the same weights.
import { mkdtempSync, rmSync } from 'node:fs'
import { readdir, readFile, stat, utimes } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { UserError } from '../src/base/errors.ts'
import { Random } from '../src/base/random.ts'
import { train } from '../src/engine/embedded/train.ts'
import type { ModelReference } from '../src/engine/engine.ts'
import { mergeAdapter } from '../src/engine/merging/merge.ts'
import { dequantiseNf4, roundToNf4 } from '../src/formats/nf4.ts'
import { readTensor, type StoredTensor } from '../src/formats/safetensors.ts'
import { openWeights, writeWeights } from '../src/formats/weights.ts'
import { openCheckpoint } from '../src/model/checkpoint.ts'
import { loadModelConfig } from '../src/model/config.ts'
import { copyQuantised } from '../src/model/quantised-copy.ts'
import { nf4Names, quantisedShapes } from '../src/model/weights.ts'
import { cutRows } from './document-rows.ts'
import { largestDifference, scoreRows } from './model-runs.ts'
import { makeDocuments, prepareJob, smallLora } from './training-example.ts'

const folder = mkdtempSync(join(tmpdir(), 'meikai-nf4-'))
afterAll(() => rmSync(folder, { recursive: true }))

const wide = { hidden_size: 32, intermediate_size: 64 }
let model: ModelReference
beforeAll(async () => {
  model = { ...(await prepareJob(folder, 'next-token', {}, wide)).model, base: 'nf4' }
})

const rows = makeDocuments(8)
  .flatMap((document) => cutRows(document, 32))
  .map(({ row }) => row)

const score = (reference: ModelReference) => scoreRows(reference, rows, { threads: 1 })

it('learns, and its merged weights compute what its codes and adapter compute', async () => {
  const method = { ...smallLora, rank: 4 }
  const outputFolder = join(folder, 'qlora')
  const job = await prepareJob(folder, 'next-token', { method, outputFolder, steps: 20 }, wide)
  const losses: number[] = []
  for await (const event of train({ ...job, model }, new AbortController().signal)) {
    if (event.type === 'evaluation-end') losses.push(event.loss)
  }
  expect(losses.at(-1)!).toBeLessThan(losses[0]! - 0.05)

  const adapter = join(outputFolder, 'result')
  const quantised = quantisedShapes(await loadModelConfig(model.folder))
  const merged = join(folder, 'merged')
  await mergeAdapter(model.folder, adapter, merged, { formOf: (weight) => (quantised.has(weight) ? 'nf4' : undefined) })
  const trained = await score({ ...model, adapter })
  expect(largestDifference(trained, await score({ folder: merged }))).toBeLessThan(1e-4)

  // Merged into the weights that the adapter never saw, it is another model.
  const raw = join(folder, 'merged-raw')
  await mergeAdapter(model.folder, adapter, raw)
  expect(largestDifference(trained, await score({ folder: raw }))).toBeGreaterThan(1e-2)
})

it('reads weights as what their codes stand for, embeddings and norms as they are', async () => {
  const checkpoint = await openCheckpoint(model, 32)
  const { tensors } = await openWeights(model.folder)
  const quantised = quantisedShapes(checkpoint.config)
  expect(quantised.size).toBe(2 * 7)
  for (const [name, tensor] of tensors) {
    const raw = await readTensor(tensor)
    expect(await checkpoint.read(name)).toEqual(quantised.has(name) ? roundToNf4(raw) : raw)
  }
})

it('keeps the codes of large models in the cache, and writes them anew when the model changes', async () => {
  const { tensors } = await openWeights(model.folder)
  const quantised = quantisedShapes(await loadModelConfig(model.folder))
  const cache = join(folder, 'cache')
  const copy = (of: ReadonlyMap<string, StoredTensor> = tensors) => copyQuantised('nf4', of, quantised, false, cache, 0)
  const { stored, bytes } = await copy()
  const [name] = quantised.keys()
  const names = nf4Names(name!)
  const { file, offset, ...codes } = stored!.get(names.codes)!
  expect(codes.dtype).toBe('U8')
  expect((await stat(file)).size).toBeGreaterThan(bytes)
  const read = { codes: Uint8Array.from((await readFile(file)).subarray(offset, offset + codes.bytes)) }
  const scales = await readTensor(stored!.get(names.scales)!)
  expect(dequantiseNf4({ ...read, scales })).toEqual(roundToNf4(await readTensor(tensors.get(name!)!)))

  const files = () => readdir(join(cache, 'nf4'))
  await copy()
  expect(await files()).toHaveLength(1)
  await utimes(tensors.get(name!)!.file, 1, 1)
  await copy()
  expect(await files()).toHaveLength(2)
})

it('uses bfloat16 weights as the float32 numbers that they are', async () => {
  const { tensors } = await openWeights(model.folder)
  const half = join(folder, 'half')
  await prepareJob(half, 'next-token', {}, wide)
  const target = join(half, 'model')
  const random = new Random(1)
  await writeWeights(
    target,
    [...tensors.values()].map((tensor) => ({ ...tensor, storedAs: 'BF16' as const, read: () => readTensor(tensor) })),
  )
  const rounded = await openCheckpoint({ folder: target }, 32)
  const exact = await openCheckpoint({ folder: model.folder }, 32)
  const [name] = quantisedShapes(exact.config).keys()
  const [a, b] = [await exact.read(name!), await rounded.read(name!)]
  const i = random.integer(a.length)
  expect(a).not.toEqual(b)
  expect(Math.abs(a[i]! - b[i]!)).toBeLessThanOrEqual(Math.abs(a[i]!) / 256)
  expect(largestDifference(await score({ folder: target }), await score({ folder: model.folder }))).toBeLessThan(0.1)
})

it('refuses to train all weights in NF4, and a model that does not divide into blocks', async () => {
  const job = await prepareJob(folder, 'next-token', { outputFolder: join(folder, 'refused') }, wide)
  const first = () => train({ ...job, model }, new AbortController().signal).next()
  await expect(first()).rejects.toThrow(UserError)
  await expect(first()).rejects.toThrow(/nf4.*lora/)
  const odd = await prepareJob(
    join(folder, 'odd'),
    'next-token',
    {},
    { hidden_size: 12, num_attention_heads: 2, num_key_value_heads: 1, intermediate_size: 20 },
  )
  await expect(openCheckpoint({ ...odd.model, base: 'nf4' }, 32)).rejects.toThrow(/q_proj.*blocks of 64/)
})

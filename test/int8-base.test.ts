// A base in 8 bits: what is trained, merged and sampled are the same weights, and training on it repeats itself bit by bit.
import { mkdtempSync, rmSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { UserError } from '../src/base/errors.ts'
import { Learner } from '../src/engine/embedded/learner.ts'
import { hashModel } from '../src/engine/embedded/reference.ts'
import { train } from '../src/engine/embedded/train.ts'
import type { ModelReference, TrainingJob } from '../src/engine/engine.ts'
import { mergeAdapter } from '../src/engine/merging/merge.ts'
import { roundToInt8 } from '../src/formats/int8.ts'
import { readTensor } from '../src/formats/safetensors.ts'
import { openWeights } from '../src/formats/weights.ts'
import { openCheckpoint } from '../src/model/checkpoint.ts'
import { loadModelConfig } from '../src/model/config.ts'
import { copyQuantised } from '../src/model/quantised-copy.ts'
import { int8Names, quantisedShapes } from '../src/model/weights.ts'
import { makeBatch, type Row } from '../src/training/batch.ts'
import { nextTokenWeights } from '../src/training/objective.ts'
import { cutRows, packRows } from './document-rows.ts'
import { largestDifference, runJob, scoreRows } from './model-runs.ts'
import { makeDocuments, prepareJob, smallLora } from './training-example.ts'

const folder = mkdtempSync(join(tmpdir(), 'meikai-int8-'))
afterAll(() => rmSync(folder, { recursive: true }))

const wide = { hidden_size: 32, intermediate_size: 48 }
let model: ModelReference & { base: 'int8' }
beforeAll(async () => {
  model = { ...(await prepareJob(folder, 'next-token', {}, wide)).model, base: 'int8' }
})

const method = { ...smallLora, rank: 4 }
const documents = makeDocuments(12)
const alone = documents.flatMap((document) => cutRows(document, 32)).map(({ row }) => row)

const score = (reference: ModelReference, precision?: 'float32', rows = alone) =>
  scoreRows(reference, rows, { threads: 2, precision })

it('learns, and its merged weights are those that its codes and adapter stand for', async () => {
  const outputFolder = join(folder, 'learnt')
  const job = await prepareJob(folder, 'next-token', { method, outputFolder, steps: 20 }, wide)
  const events = await runJob({ ...job, model })
  const losses = events.flatMap((event) => (event.type === 'evaluation-end' ? [event.loss] : []))
  expect(losses.at(-1)!).toBeLessThan(losses[0]! - 0.05)

  const adapter = join(outputFolder, 'result')
  const quantised = quantisedShapes(await loadModelConfig(model.folder))
  const merged = join(folder, 'merged')
  await mergeAdapter(model.folder, adapter, merged, {
    formOf: (weight) => (quantised.has(weight) ? 'int8' : undefined),
  })
  const sampled = await score({ folder: merged })
  expect(largestDifference(await score({ ...model, adapter }, 'float32'), sampled)).toBeLessThan(1e-4)
  // While training, activations are rounded too.
  const trained = largestDifference(await score({ ...model, adapter }), sampled)
  expect(trained).toBeGreaterThan(1e-4)
  expect(trained).toBeLessThan(0.2)
})

it('reads weights as what their codes stand for, embeddings and norms as they are', async () => {
  const checkpoint = await openCheckpoint(model, 32)
  const { tensors } = await openWeights(model.folder)
  const quantised = quantisedShapes(checkpoint.config)
  for (const [name, tensor] of tensors) {
    const raw = await readTensor(tensor)
    const values = await checkpoint.read(name)
    const shape = quantised.get(name)
    expect(values).toEqual(shape === undefined ? raw : roundToInt8(raw, shape[1]))
    if (shape !== undefined) expect(values).not.toEqual(raw)
  }
})

it('keeps the codes of large models in the cache, each weight twice: as it is and transposed', async () => {
  const { tensors } = await openWeights(model.folder)
  const quantised = quantisedShapes(await loadModelConfig(model.folder))
  const cache = join(folder, 'cache')
  const { stored } = await copyQuantised('int8', tensors, quantised, false, cache, 0)
  const [[name, [outputs, inputs]]] = quantised as unknown as [[string, [number, number]]]
  const names = int8Names(name)
  const read = async (tensor: string) => {
    const { file, offset, bytes } = stored!.get(tensor)!
    return new Int8Array((await readFile(file)).subarray(offset, offset + bytes))
  }
  const [codes, transposed] = [await read(names.codes), await read(names.transposed)]
  const scales = await readTensor(stored!.get(names.scales)!)
  const weight = roundToInt8(await readTensor(tensors.get(name)!), inputs)
  weight.forEach((value, i) => {
    const [row, column] = [Math.floor(i / inputs), i % inputs]
    expect(Math.fround(codes[i]! * scales[row]!)).toBe(value)
    expect(transposed[column * outputs + row]).toBe(codes[i])
  })
  expect(await readdir(join(cache, 'int8'))).toHaveLength(1)
})

describe('equal to itself', () => {
  it('one token alone, in a crowd and packed with others has the same bits', async () => {
    const [first] = alone
    const lone = await score(model, undefined, [first!])
    const crowd = await score(model)
    expect(crowd.slice(0, lone.length)).toEqual(lone)
    const packed = packRows(documents, 32, 1, 0).map(({ row }) => row)
    expect(packed.length).toBeLessThan(alone.length)
    const sorted = (values: Float32Array) => values.slice().sort()
    expect(largestDifference(sorted(await score(model, undefined, packed)), sorted(crowd))).toBeLessThan(1e-5)
  })

  it('packed documents give the gradient of unpacked ones, and layers computed again that of layers kept', async () => {
    const packed = packRows(documents, 32, 1, 0).map(({ row }) => row)
    const checkpoint = await openCheckpoint(model, 32)
    const learning = { kind: 'lora' as const, lora: method }
    const trained = await openCheckpoint({ ...model, adapter: join(folder, 'learnt', 'result') }, 32)
    const gradientOf = async (rows: Row[], recompute: 'none' | 'layers') => {
      const graphs = { step: true, forward: false }
      const options = { checkpoint, learning, positions: 32, chunk: 0, threads: 2, graphs, recompute }
      const learner = await Learner.compile(options)
      for (const { name } of learner.segments) learner.view(name).set(await trained.read(name))
      const batch = makeBatch(rows)
      const weights = nextTokenWeights(batch.predictions, batch.targets.length, batch.predictions)
      await learner.differentiate(batch, weights, false)
      await learner.release()
      return learner.gradient
    }
    const kept = await gradientOf(alone, 'none')
    const norm = (values: Float32Array) => Math.hypot(...values)
    expect(norm(kept)).toBeGreaterThan(1e-3)
    expect(await gradientOf(alone, 'layers')).toEqual(kept)
    const difference = (await gradientOf(packed, 'none')).map((value, i) => value - kept[i]!)
    expect(norm(difference)).toBeLessThan(1e-5 * norm(kept))
  })

  it.each(['next-token', 'preference'] as const)(
    'run twice, or killed and resumed: the same bits (%s)',
    async (kind) => {
      const jobIn = async (place: string) => {
        const job = await prepareJob(folder, kind, { method, outputFolder: join(folder, kind, place) }, wide)
        const { objective } = job
        return { ...job, model, objective: 'reference' in objective ? { ...objective, reference: model } : objective }
      }
      const resultOf = async (job: TrainingJob) =>
        readFile(join(job.outputFolder, 'result', 'adapter_model.safetensors'))
      const [first, second, killed] = [await jobIn('first'), await jobIn('second'), await jobIn('killed')]
      await runJob(first)
      await runJob(second)
      await runJob(killed, (event) => event.type === 'step-end' && event.step === 7)
      const [start] = await runJob(killed)
      expect(start).toMatchObject({ type: 'training-start', firstStep: 5 })
      expect((await resultOf(second)).equals(await resultOf(first))).toBe(true)
      expect((await resultOf(killed)).equals(await resultOf(first))).toBe(true)
    },
  )
})

it('is another reference than the same weights in float32 or NF4', async () => {
  const bases = [undefined, 'float32', 'nf4', 'int8'] as const
  const hashes = await Promise.all(bases.map((base) => hashModel({ folder: model.folder, ...(base && { base }) })))
  expect(hashes[1]).toBe(hashes[0])
  expect(new Set(hashes).size).toBe(3)
})

it('refuses to train all weights in 8 bits', async () => {
  const job = await prepareJob(folder, 'next-token', { outputFolder: join(folder, 'refused') }, wide)
  const first = () => train({ ...job, model }, new AbortController().signal).next()
  await expect(first()).rejects.toThrow(UserError)
  await expect(first()).rejects.toThrow(/int8.*lora/)
})

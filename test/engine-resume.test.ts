// Same job, same bits: run twice, or killed anywhere and taken up again. And what a job refuses.
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { UserError } from '../src/base/errors.ts'
import { writeJsonLines } from '../src/base/files.ts'
import type { TrainingEvent } from '../src/base/progress.ts'
import { train } from '../src/engine/embedded/train.ts'
import type { TrainingJob } from '../src/engine/engine.ts'
import { mergeAdapter } from '../src/engine/merging/merge.ts'
import { runJob } from './model-runs.ts'
import { makeDocuments, makePairs, prepareJob, smallLora } from './training-example.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meikai-resume-'))
})
afterAll(() => rm(folder, { recursive: true }))

const resultBytes = async (job: TrainingJob) => {
  const result = join(job.outputFolder, 'result')
  const file = (await readdir(result)).find((name) => name.endsWith('.safetensors'))!
  return readFile(join(result, file))
}

/** What a record of events must hold in the end, times apart. */
const record = (events: TrainingEvent[]) =>
  events.flatMap((event): TrainingEvent[] =>
    event.type === 'step-end' ? [{ ...event, seconds: 0 }] : event.type === 'evaluation-end' ? [event] : [],
  )

const cases: [string, 'next-token' | 'preference', Partial<TrainingJob>][] = [
  ['full, next-token, accumulated', 'next-token', { accumulate: 2 }],
  ['LoRA, preference, best', 'preference', { method: smallLora, keep: 'best' }],
  ['LoRA with dropout, accumulated', 'next-token', { method: { ...smallLora, dropout: 0.3 }, accumulate: 2 }],
  ['full, preference, on two threads', 'preference', { threads: 2 }],
]

describe.each(cases)('%s', (name, kind, change) => {
  const jobIn = (place: string) => prepareJob(folder, kind, { ...change, outputFolder: join(folder, name, place) })

  it('gives the same bits twice', async () => {
    const [first, second] = [await jobIn('first'), await jobIn('second')]
    const events = await runJob(first)
    expect(record(await runJob(second))).toEqual(record(events))
    expect((await resultBytes(second)).equals(await resultBytes(first))).toBe(true)
    const losses = events.flatMap((event) => (event.type === 'step-end' ? [event.loss] : []))
    expect(losses.at(-1)).toBeLessThan(losses[0]!)
  })

  it.each([1, 4, 7, 12])('gives the same bits when it died in step %i', async (step) => {
    const whole = await jobIn('first')
    const job = await jobIn(`died-${step}`)
    await runJob(job, (event) => event.type === 'step-end' && event.step === step)
    const again = await runJob(job)
    const firstStep = again[0]!.type === 'training-start' ? again[0]!.firstStep : 0
    expect(firstStep).toBe(step <= 4 ? 1 : step <= 8 ? 5 : 9)
    expect((await resultBytes(job)).equals(await resultBytes(whole))).toBe(true)
    const fresh = await jobIn('fresh')
    await rm(fresh.outputFolder, { recursive: true, force: true })
    expect(record(again)).toEqual(record(await runJob(fresh)))
  })
})

describe('an aborted job', () => {
  it('saves a checkpoint and goes on from it', async () => {
    const whole = await prepareJob(folder, 'next-token', { outputFolder: join(folder, 'whole') })
    await runJob(whole)
    const job = await prepareJob(folder, 'next-token', { outputFolder: join(folder, 'stopped') })
    const controller = new AbortController()
    const seen: TrainingEvent[] = []
    const stopped = (async () => {
      for await (const event of train(job, controller.signal)) {
        seen.push(event)
        if (event.type === 'step-end' && event.step === 6) controller.abort(new Error('Ctrl-C'))
      }
    })()
    await expect(stopped).rejects.toThrow('Ctrl-C')
    expect(seen.at(-1)).toMatchObject({ type: 'checkpoint-saved', step: 6 })
    expect((await runJob(job))[0]).toMatchObject({ firstStep: 7 })
    expect((await resultBytes(job)).equals(await resultBytes(whole))).toBe(true)
  })

  it('starts anew when a setting that matters changed, and goes on when only the keeping did', async () => {
    const job = await prepareJob(folder, 'next-token', { outputFolder: join(folder, 'changed') })
    const dies = (event: TrainingEvent) => event.type === 'step-end' && event.step === 9
    await runJob(job, dies)
    expect((await runJob({ ...job, keepCheckpoints: 3 }, dies))[0]).toMatchObject({ firstStep: 9 })
    expect((await runJob({ ...job, learningRate: 0.02 }, dies))[0]).toMatchObject({ firstStep: 1 })
  })

  it('asks the reference anew when the pairs are others, as many as they may be', async () => {
    const job = await prepareJob(folder, 'preference', { outputFolder: join(folder, 'other-pairs') })
    const heldOut = { heldOut: join(folder, 'other-pairs.jsonl') }
    const firstMargin = async (seed: number) => {
      await writeJsonLines(heldOut.heldOut, makePairs(6, seed))
      const events = await runJob({ ...job, evaluationFiles: heldOut }, ({ type }) => type === 'evaluation-end')
      const first = events.find((event) => event.type === 'evaluation-end')
      return first?.type === 'evaluation-end' ? first.preference?.margin : undefined
    }
    expect(await firstMargin(2)).toBeCloseTo(0, 4)
    expect(await firstMargin(3)).toBeCloseTo(0, 4)
  })

  it('keeps as many checkpoints as asked, and ignores a half-written one', async () => {
    const job = await prepareJob(folder, 'next-token', {
      outputFolder: join(folder, 'kept'),
      checkpointEverySteps: 2,
      keepCheckpoints: 2,
      snapshotSteps: [3],
    })
    const checkpoints = join(job.outputFolder, 'checkpoints')
    await runJob(job, (event) => event.type === 'step-end' && event.step === 9)
    expect(await readdir(checkpoints)).toEqual(['step-0000006', 'step-0000008'])
    await cp(join(checkpoints, 'step-0000006'), join(checkpoints, 'step-0000009.1-ab.partial'), { recursive: true })
    expect((await runJob(job))[0]).toMatchObject({ firstStep: 9 })
    expect(await readdir(checkpoints)).toEqual(['step-0000008', 'step-0000010'])
    expect(await readdir(join(job.outputFolder, 'snapshots', 'step-3'))).toContain('model.safetensors')
  })
})

describe('a job', () => {
  it('keeps the best weights, of an earlier step where later ones are worse', async () => {
    const job = await prepareJob(folder, 'next-token', {
      outputFolder: join(folder, 'best'),
      keep: 'best',
      learningRate: 0.03,
      steps: 40,
      evaluateEverySteps: 1,
    })
    // Other documents than those trained on: their loss falls while the model learns what is common to all, then rises.
    const backwards = makeDocuments(9, 2).map((document) => ({ ...document, tokens: document.tokens.toReversed() }))
    await writeJsonLines(job.evaluationFiles.heldOut!, backwards)
    const events = await runJob(job)
    const losses = events.flatMap((event) => (event.type === 'evaluation-end' ? [event.loss] : []))
    const best = losses.indexOf(Math.min(...losses))
    expect(best).toBeGreaterThan(0)
    expect(best).toBeLessThan(40)
    expect(events.at(-1)).toMatchObject({ type: 'training-end', keptStep: best })
    // Killed between its result and the end of the stage around it, a job comes again from its last checkpoint.
    expect(best).toBeLessThan(36)
    const bytes = await resultBytes(job)
    expect((await runJob(job))[0]).toMatchObject({ firstStep: 37 })
    expect((await resultBytes(job)).equals(bytes)).toBe(true)
    const { trainingFile, evaluationFiles } = job
    const again = await runJob({
      ...job,
      model: { folder: join(job.outputFolder, 'result') },
      trainingFile,
      evaluationFiles,
      outputFolder: join(folder, 'again'),
    })
    expect(again.find((event) => event.type === 'evaluation-end')).toMatchObject({ step: 0, loss: losses[best] })
  })

  it('trains an adapter on, or refuses one of another shape; a merged adapter is the same model', async () => {
    const first = await prepareJob(folder, 'next-token', { method: smallLora, outputFolder: join(folder, 'adapter-1') })
    const lastLoss = (await runJob(first)).findLast((event) => event.type === 'evaluation-end')!
    const adapter = join(first.outputFolder, 'result')
    const onward = { ...first, model: { ...first.model, adapter }, outputFolder: join(folder, 'adapter-2') }
    const start = (await runJob(onward)).find((event) => event.type === 'evaluation-end')
    expect(start).toMatchObject({ loss: lastLoss.type === 'evaluation-end' && lastLoss.loss })
    await expect(runJob({ ...onward, method: { ...smallLora, rank: 2 } })).rejects.toThrow(
      /rank 3.*cannot be trained on as one of rank 2/,
    )

    const merged = join(folder, 'merged')
    await mergeAdapter(first.model.folder, adapter, merged)
    for (const model of [{ folder: merged }, { ...first.model, adapter }]) {
      const full = {
        ...first,
        model,
        method: { kind: 'full' as const },
        outputFolder: await mkdtemp(join(folder, 'full-')),
      }
      const found = (await runJob(full)).find((event) => event.type === 'evaluation-end')!
      expect(found.type === 'evaluation-end' && found.loss).toBeCloseTo(
        lastLoss.type === 'evaluation-end' ? lastLoss.loss : 0,
        5,
      )
    }
  })

  it('moves chosen and rejected apart, and under RPO and winners raises the chosen', async () => {
    for (const loss of ['rpo', 'dpo', 'winners'] as const) {
      const job = await prepareJob(folder, 'preference', { outputFolder: join(folder, loss), steps: 30 })
      if (job.objective.kind !== 'preference') throw new Error('no preference job')
      job.objective = { ...job.objective, loss }
      const ends = (await runJob(job)).flatMap((event) => (event.type === 'step-end' ? [event.preference!] : []))
      const [first, last] = [ends[0]!, ends.at(-1)!]
      expect(first.margin).toBeCloseTo(0, 3)
      expect(last.margin, loss).toBeGreaterThan(0.3)
      expect(last.accuracy).toBeGreaterThan(0.9)
      if (loss !== 'dpo') expect(last.chosenLogProbability).toBeGreaterThan(first.chosenLogProbability + 2)
    }
  })

  it('stops at a loss that explodes, naming step and batch, and keeps the last checkpoint', async () => {
    const job = await prepareJob(folder, 'next-token', {
      outputFolder: join(folder, 'exploded'),
      learningRate: 1e4,
      warmupSteps: 5,
      schedule: 'constant',
      checkpointEverySteps: 1,
      clipNorm: 1e9,
      adamBeta1: 0.01,
    })
    const error = await runJob(job).catch((thrown) => thrown)
    expect(error).toBeInstanceOf(UserError)
    expect(error.message).toMatch(
      /^step \d+: the loss (exploded to|is no number).* d\d+, .*last checkpoint in .*checkpoints is kept/,
    )
    expect(await readdir(join(job.outputFolder, 'checkpoints'))).toHaveLength(1)
    expect(await readdir(job.outputFolder)).not.toContain('result')
  })

  it('refuses what does not fit', async () => {
    const next = await prepareJob(folder, 'next-token', { outputFolder: join(folder, 'refused') })
    const preference = await prepareJob(folder, 'preference', { outputFolder: join(folder, 'refused') })
    const file = join(folder, 'bad.jsonl')
    const withRows = async (job: TrainingJob, rows: unknown[]) => {
      await writeJsonLines(file, rows)
      return runJob({ ...job, trainingFile: file, outputFolder: await mkdtemp(join(folder, 'refused-')) })
    }
    const [document] = makeDocuments(1)
    const [pair] = makePairs(1)
    await expect(withRows(next, [{ ...document, tokens: [1, 2, 3, 4, 99] }])).rejects.toThrow(
      /bad\.jsonl:1: document d0 has the token 99/,
    )
    await expect(withRows(next, [document, { ...document, lossFrom: -1 }])).rejects.toThrow(/bad\.jsonl:2: lossFrom/)
    await expect(withRows(next, [])).rejects.toThrow(/holds no documents/)
    await expect(withRows(preference, [{ ...pair, chosenTokens: undefined }])).rejects.toThrow(
      /bad\.jsonl:1: chosenTokens/,
    )
    await expect(withRows(preference, [{ ...pair, promptTokens: new Array(40).fill(2) }])).rejects.toThrow(
      /the model's context 32/,
    )
    await expect(runJob({ ...next, method: { ...smallLora, targetModules: ['query'] } })).rejects.toThrow(
      /'query' is no linear layer/,
    )
    await expect(runJob({ ...next, keep: 'best', evaluationFiles: {} })).rejects.toThrow(/keep: best needs/)
    await expect(runJob({ ...next, batch: { pairs: 1, maxTokens: 10 } })).rejects.toThrow(
      /next-token objective needs tokens/,
    )
    const config = join(next.model.folder, 'config.json')
    const kept = await readFile(config, 'utf8')
    await writeFile(config, kept.replace('"vocab_size": 24', '"vocab_size": 25'))
    await expect(runJob(next)).rejects.toThrow(
      /model\.embed_tokens\.weight is \[24,16\], config.json asks for \[25,16\]/,
    )
    await writeFile(config, kept)
  })
})

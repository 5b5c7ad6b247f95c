// Running: stages kept, run again, gone on with, on a fake engine and a fake sampler over the real texts and questions.
import { appendFile, cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { UserError } from '../src/base/errors.ts'
import { loadJsonLines } from '../src/base/files.ts'
import type { RunEvent, TrainingEvent } from '../src/base/progress.ts'
import type { TrainingJob } from '../src/engine/engine.ts'
import { FakeEngine } from '../src/engine/fake.ts'
import { planRecipe, runRecipe } from '../src/pipeline/run.ts'
import { loadRecipe } from '../src/recipe/recipe.ts'
import { lockFolder } from '../src/runs/lock.ts'
import { FAKE_END, FakeSampler, type Write } from '../src/sampler/fake.ts'
import type { SampleRequest } from '../src/sampler/sampler.ts'
import { writeSmallWorld } from './small-world.ts'

const recipe = `name: fake
threads: 1
variants: [base, cpt, cpt+rpo]
model: {folder: world/model}
corpus:
  texts:
    - {path: world/pretrain/medicine.jsonl, licence: CC0-1.0}
    - {path: world/pretrain/replay.jsonl, role: general}
  heldOutShare: 0.1
  duplicates: keep
  overlapCharacters: 0
pretrain: {method: full, steps: 4, evaluateEverySteps: 2}
exam:
  preference: {path: world/exam/preference.jsonl, items: 6}
  test: {path: world/exam/test.jsonl, items: 4}
  answerForm: option-text
sample: {samples: 4, maxTokens: 99}
pair: {pairsPerQuestion: 2, heldOutShare: 0.2}
prefer: {method: full, steps: 2}
examine: {answerTokens: 40, explainTokens: 99}
report: {probeQuestions: 1, probeSnapshots: 2}
`

let original: string
let answers: Map<string, string>
beforeAll(async () => {
  original = await mkdtemp(join(tmpdir(), 'pipeline-world-'))
  answers = await writeSmallWorld(join(original, 'world'), 200)
})

/** Every second sample of a question is right; so is every examined answer. */
const write: Write = ({ id, prompt }, sample) => {
  const answer = sample % 2 === 0 ? answers.get(id.replace(/\/\d$/, '')) : 'なし'
  const start = String(prompt).endsWith('解説：') ? `説明${sample}。\n答え：` : ''
  return `${start}${answer}${FAKE_END}`
}

let folder: string
let engine: FakeEngine
let samplers: FakeSampler[]
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pipeline-run-'))
  await cp(original, folder, { recursive: true })
  await writeFile(join(folder, 'recipe.yaml'), recipe)
})

interface RunSettings {
  overrides?: string[]
  signal?: AbortSignal
  engine?: FakeEngine
  write?: Write
  onEvent?(event: RunEvent): void
}

async function run(settings: RunSettings = {}): Promise<RunEvent[]> {
  engine = settings.engine ?? new FakeEngine()
  samplers = []
  const loaded = await loadRecipe(join(folder, 'recipe.yaml'), { overrides: settings.overrides })
  const tools = {
    engine,
    openSampler: async () => {
      const sampler = new FakeSampler(settings.write ?? write)
      samplers.push(sampler)
      return sampler
    },
  }
  const events: RunEvent[] = []
  const { signal } = settings
  for await (const event of runRecipe(loaded.recipe, { runsFolder: join(folder, 'runs'), tools, signal })) {
    settings.onEvent?.(event)
    events.push(event)
  }
  return events
}

const ran = (events: RunEvent[]) =>
  events.flatMap((event) => (event.type === 'stage-end' && !event.kept ? event.stage : []))
const warnings = (events: RunEvent[]) => events.flatMap((event) => (event.type === 'warning' ? event.message : []))
const requests = (): SampleRequest[] => samplers.flatMap(({ calls }) => calls.flatMap((call) => call.requests))
const inRun = (...path: string[]) => join(folder, 'runs', 'fake', ...path)
const plan = async (...overrides: string[]) => {
  const loaded = await loadRecipe(join(folder, 'recipe.yaml'), { overrides })
  return planRecipe(loaded.recipe, { runsFolder: join(folder, 'runs') })
}

const all = [
  'exam-preference',
  'exam-test',
  'initialise',
  'corpus',
  'pretrain',
  'probe-pretrain',
  'sample-cpt',
  'pair-cpt',
  'prefer-cpt+rpo',
  'probe-prefer-cpt+rpo',
  'examine-base',
  'examine-cpt',
  'examine-cpt+rpo',
  'report',
]

describe('a run', () => {
  it('weighs the likelihood by nllWeight in RPO alone, so a change of it concerns no other variant', async () => {
    const overrides = ['variants=[cpt+rpo,cpt+dpo,cpt+winners]', 'report.probeQuestions=0']
    await run({ overrides: [...overrides, 'prefer.nllWeight=3'] })
    const weights = engine.jobs.flatMap(({ objective }) => (objective.kind === 'preference' ? [objective] : []))
    expect(weights.map(({ loss, alpha }) => [loss, alpha])).toEqual([
      ['rpo', 3],
      ['dpo', 0],
      ['winners', 1],
    ])
    const again = await run({ overrides: [...overrides, 'prefer.nllWeight=4'] })
    expect(ran(again)).toEqual(['prefer-cpt+rpo', 'report']) // what comes out is examined already: the engine is a fake
  })

  it('goes through every stage to a report, and keeps them all when run again', async () => {
    const first = await run()
    expect(ran(first)).toEqual(all)
    expect(first.at(0)).toMatchObject({ type: 'run-start', name: 'fake', folder: inRun() })
    expect(first.at(-1)).toMatchObject({ type: 'run-end', report: inRun('report', 'report.html') })
    const report = JSON.parse(await readFile(inRun('report', 'report.json'), 'utf8'))
    expect(report.variants['cpt+rpo']).toMatchObject({
      answer: { correct: 4, items: 4, unreadable: 0 },
      explain: { correct: 4, items: 4 },
    })
    expect(report.run.hosts).toEqual([])
    expect(report.run.sources).toContainEqual(expect.objectContaining({ name: 'medicine.jsonl', licence: 'CC0-1.0' }))
    expect(JSON.stringify(report)).not.toContain(folder)

    const second = await run()
    expect(ran(second)).toEqual([])
    expect(second.filter(({ type }) => type === 'stage-end')).toHaveLength(all.length)
    expect([engine.jobs, samplers]).toEqual([[], []])
  })

  it('gives the engine the job that the recipe describes', async () => {
    await run({ overrides: ['prefer.method=lora', 'prefer.rank=2', 'prefer.beta=0.3', 'seed=5'] })
    const [pretrain, prefer] = engine.jobs as [TrainingJob, TrainingJob]
    expect(pretrain).toMatchObject({
      model: { folder: inRun('initialise', 'model') },
      method: { kind: 'full' },
      objective: { kind: 'next-token' },
      evaluationFiles: { 'held-out': inRun('corpus', 'held-out.jsonl'), general: inRun('corpus', 'general.jsonl') },
      steps: 4,
      seed: 5,
      threads: 1,
    })
    expect(Object.keys(pretrain.evaluationFiles)).toEqual(['held-out', 'general'])
    expect(prefer).toMatchObject({
      model: { folder: inRun('pretrain', 'training', 'result') },
      method: { kind: 'lora', rank: 2, alpha: 32 },
      objective: {
        kind: 'preference',
        loss: 'rpo',
        beta: 0.3,
        alpha: 1,
        reference: { folder: inRun('pretrain', 'training', 'result') },
      },
      batch: { pairs: 16, maxTokens: 2048 },
    })
    expect((await readdir(inRun('prefer-cpt+rpo', 'merged'))).includes('model.safetensors')).toBe(true)
  })

  it('writes nothing while it plans', async () => {
    const { stages } = await plan()
    expect(stages.map(({ state }) => state)).toEqual(all.map(() => 'new'))
    expect(await readdir(folder)).not.toContain('runs')
  })

  it('is locked against a second one', async () => {
    const unlock = await lockFolder(inRun())
    await expect(run()).rejects.toThrow(`in use by process ${process.pid}`)
    await unlock()
    await run()
    expect(await readdir(inRun())).not.toContain('lock')
  })

  it('gives its lock back when a stage fails', async () => {
    const broken: Write = () => {
      throw new UserError('the sampler broke')
    }
    await expect(run({ write: broken })).rejects.toThrow('the sampler broke')
    expect(await readdir(inRun())).not.toContain('lock')
  })
})

describe('a change', () => {
  it('runs again what depends on it, and says so first', async () => {
    await run()
    expect((await plan('prefer.beta=0.2')).stages.filter(({ state }) => state !== 'done')).toEqual([
      { id: 'prefer-cpt+rpo', title: 'RPO (cpt+rpo)', state: 'changed', reasons: ['prefer.beta: 0.1 -> 0.2'] },
      expect.objectContaining({ id: 'probe-prefer-cpt+rpo', state: 'changed', reasons: ['prefer-cpt+rpo runs first'] }),
      expect.objectContaining({ id: 'examine-cpt+rpo', state: 'changed' }),
      expect.objectContaining({ id: 'report', state: 'changed' }),
    ])
    const events = await run({ overrides: ['prefer.beta=0.2'] })
    expect(engine.jobs).toHaveLength(1)
    expect(events[0]).toMatchObject({
      stages: expect.arrayContaining([{ id: 'pretrain', state: 'done', reasons: [] }]),
    })
    // The fake learns nothing: what came out is what was there, and nothing else has to run.
    expect(ran(events)).toEqual(['prefer-cpt+rpo', 'report'])
  })

  it('of a file runs again what reads it, and no more than came out differently', async () => {
    await run()
    await appendFile(join(folder, 'world', 'pretrain', 'medicine.jsonl'), '{"text":"新しい文である。"}\n')
    expect((await plan()).stages.find(({ id }) => id === 'corpus')?.reasons).toEqual([
      'corpus.texts.0.path: the file changed',
    ])
    expect(ran(await run())).toEqual(['corpus', 'pretrain', 'report'])
  })

  it('of a licence reaches the report and trains nothing', async () => {
    await run()
    const events = await run({ overrides: ['corpus.texts.0.licence="CC BY 4.0"'] })
    expect(engine.jobs).toEqual([])
    expect(ran(events)).toEqual(['corpus', 'report'])
    expect(await readFile(inRun('report', 'report.json'), 'utf8')).toContain('CC BY 4.0')
  })

  it('of the verdicts makes the pairs anew', async () => {
    await run()
    const [pair, other] = await loadJsonLines<{ id: string }>(inRun('pair-cpt', 'pairs.jsonl'))
    const verdict = (id: string | undefined) =>
      `${JSON.stringify({ pair: id, verdict: 'reject', by: 'a', time: '2026-01-01T00:00:00Z' })}\n`
    await writeFile(join(folder, 'verdicts.jsonl'), verdict(pair?.id))
    await run({ overrides: ['pair.verdicts=verdicts.jsonl'] })
    expect((await loadJsonLines<{ id: string }>(inRun('pair-cpt', 'pairs.jsonl')))[0]).toMatchObject({ id: other?.id })
    const { pairs } = JSON.parse(await readFile(inRun('report', 'report.json'), 'utf8'))
    expect(pairs[0].verdicts).toMatchObject({ reject: 1 })
    expect((await plan('pair.verdicts=verdicts.jsonl')).stages.every(({ state }) => state === 'done')).toBe(true)
    await appendFile(join(folder, 'verdicts.jsonl'), verdict(other?.id))
    expect((await plan('pair.verdicts=verdicts.jsonl')).stages.find(({ id }) => id === 'pair-cpt')?.reasons).toEqual([
      'pair.verdicts: the file changed',
    ])
  })
})

describe('an interruption', () => {
  it('ends with its reason, and the next run goes on from there', async () => {
    const controller = new AbortController()
    const onEvent = (event: RunEvent) => {
      if (event.type === 'training' && event.event.type === 'step-end') controller.abort(new Error('enough'))
    }
    await expect(run({ signal: controller.signal, onEvent })).rejects.toThrow('enough')
    expect((await plan()).stages.map(({ state }) => state).slice(3, 6)).toEqual(['done', 'interrupted', 'new'])
    expect(ran(await run())).toEqual(all.slice(4))
  })

  it('keeps the questions that were sampled', async () => {
    let count = 0
    const failing: Write = (request, sample, settings) => {
      if (request.id.endsWith('/1') && ++count > 10) throw new UserError('power cut')
      return write(request, sample, settings)
    }
    await expect(run({ write: failing })).rejects.toThrow('power cut')
    await appendFile(inRun('sample-cpt', 'partial.jsonl'), '{"id":"torn')
    await run()
    const asked = requests().filter(({ id }) => id.endsWith('/1'))
    expect(asked).toHaveLength(4) // of six questions with four samples, two were whole after ten samples
    const resumed = await readFile(inRun('sample-cpt', 'samples.jsonl'), 'utf8')
    await rm(inRun(), { recursive: true })
    await run()
    expect(await readFile(inRun('sample-cpt', 'samples.jsonl'), 'utf8')).toBe(resumed)
    expect(await readdir(inRun('sample-cpt'))).not.toContain('partial.jsonl')
  })

  it('keeps the answers that were graded', async () => {
    let count = 0
    const failing: Write = (request, sample, settings) => {
      if (request.samples === 1 && samplers.length === 6 && ++count > 6) throw new UserError('power cut')
      return write(request, sample, settings)
    }
    await expect(run({ write: failing })).rejects.toThrow('power cut')
    const done = (await readFile(inRun('examine-base', 'partial.jsonl'), 'utf8')).trim().split('\n').length
    const events = await run()
    expect(done).toBe(6)
    expect(ran(events)[0]).toBe('examine-base')
    expect(samplers[0]?.calls.flatMap((call) => call.requests)).toHaveLength(8 - done)
  })

  it('of a stage whose settings then changed begins it anew', async () => {
    let count = 0
    const failing: Write = (request, sample, settings) => {
      if (request.id.endsWith('/1') && ++count > 10) throw new UserError('power cut')
      return write(request, sample, settings)
    }
    await expect(run({ write: failing })).rejects.toThrow('power cut')
    const overrides = ['sample.temperature=[1.1]']
    expect((await plan(...overrides)).stages.find(({ id }) => id === 'sample-cpt')).toMatchObject({
      state: 'changed',
      reasons: ['sample.temperature: 0.8 -> 1.1'],
    })
    await run({ overrides })
    expect(requests().filter(({ id }) => id.endsWith('/1'))).toHaveLength(6)
  })
})

describe('damage', () => {
  it.each([
    ['an altered file', () => writeFile(inRun('pair-cpt', 'counts.json'), '{}'), /counts\.json has 2 bytes/],
    ['a missing file', () => rm(inRun('pair-cpt', 'counts.json')), /counts\.json is missing/],
    ['half a manifest', () => writeFile(inRun('pair-cpt', 'manifest.json'), '{"format"'), /not valid JSON/],
  ])('by %s is said and mended', async (_, damage, expected) => {
    await run()
    const before = await readFile(inRun('pair-cpt', 'counts.json'), 'utf8')
    await damage()
    const events = await run()
    expect(warnings(events)).toEqual([expect.stringMatching(/^pair-cpt runs again: /)])
    expect(warnings(events)[0]).toMatch(expected)
    expect(ran(events)).toEqual(['pair-cpt'])
    expect(await readFile(inRun('pair-cpt', 'counts.json'), 'utf8')).toBe(before)
  })

  it('is told from what another version made', async () => {
    await run()
    const manifest = inRun('pretrain', 'manifest.json')
    const text = await readFile(manifest, 'utf8')
    await writeFile(manifest, text.replace(/"meikai": "[^"]+"/, '"meikai": "0.0.1"'))
    const events = await run()
    expect(warnings(events)).toEqual([expect.stringMatching(/^pretrain is kept, though made by meikai 0\.0\.1 \(now /)])
    expect(ran(events)).toEqual([])
    await writeFile(manifest, text.replace('"format": 1', '"format": 2'))
    await expect(run()).rejects.toThrow('written by another version of meikai')
  })
})

describe('bad input', () => {
  it.each<[string, RunSettings, string]>([
    [
      'every sample is right',
      { write: (request, _, settings) => write(request, 0, settings) },
      'every sample was right',
    ],
    [
      'every sample is wrong',
      { write: (request, _, settings) => write(request, 1, settings), overrides: ['pair.whenNoWinner=drop'] },
      'every sample was wrong',
    ],
    ['the model folder is missing', { overrides: ['model.folder=nowhere'] }, 'nowhere: no such file or folder'],
    [
      'the texts are missing',
      { overrides: ['corpus.texts.0.path=nowhere.jsonl'] },
      'nowhere.jsonl: no such file or folder',
    ],
    ['the exam is missing', { overrides: ['exam.test.path=nowhere.jsonl'] }, 'nowhere.jsonl: no such file or folder'],
    [
      'a prompt is longer than the context',
      { overrides: ['examine.explainTokens=250'] },
      "the model's context ends at 256",
    ],
  ])('is named where %s', async (_, settings, message) => {
    await expect(run(settings)).rejects.toThrow(message)
  })

  it('is named where a tokenizer stands beside a model with weights', async () => {
    await run()
    const model = `model.folder=${inRun('initialise', 'model')}`
    await expect(plan(model, 'model.tokenizer=world/model')).rejects.toThrow('model.tokenizer: ')
    expect((await plan(model)).stages.map(({ id }) => id)).not.toContain('initialise')
  })

  it('that breaks the loss keeps what was finished', async () => {
    class Exploding extends FakeEngine {
      override async *train(job: TrainingJob, signal: AbortSignal): AsyncGenerator<TrainingEvent> {
        for await (const event of super.train(job, signal)) {
          if (event.type === 'step-end' && event.step === 2) throw new UserError('step 2: the loss is no number')
          yield event
        }
      }
    }
    await expect(run({ engine: new Exploding() })).rejects.toThrow('step 2: the loss is no number')
    expect((await plan()).stages.map(({ state }) => state).slice(3, 6)).toEqual(['done', 'interrupted', 'new'])
    const metrics = await loadJsonLines<TrainingEvent>(inRun('pretrain', 'metrics.jsonl'))
    expect(metrics.filter(({ type }) => type === 'step-end')).toHaveLength(1)
  })
})

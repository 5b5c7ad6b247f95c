// The recipe of the paper's experiment, every variant of it, through the whole pipeline in simulated time: the trainings and the
// servers that it starts fail by random schedules, runs are started again, and what comes out is always the same.
import { mkdtemp, readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { hashFile, loadJsonLines, readJson } from '../src/base/files.ts'
import { Random } from '../src/base/random.ts'
import { ClusterEngine } from '../src/engine/cluster/cluster-engine.ts'
import type { ExamItem, GradedAnswer } from '../src/exam/records.ts'
import { runRecipe } from '../src/pipeline/run.ts'
import { clusterSettings, shareGpus } from '../src/pipeline/tools.ts'
import { loadRecipe } from '../src/recipe/recipe.ts'
import { readMetrics } from '../src/runs/metrics.ts'
import { type ServerRecord, serverFolder } from '../src/sampler/started/server-record.ts'
import { removeFolder, SimulatedCluster } from './simulated-cluster.ts'
import { SimulatedLife } from './simulated-life.ts'
import { type Answer, callFaults, drawServerSchedule, type ServerSchedule, startFaults } from './simulated-server.ts'
import { drawSchedule, faults, type Schedule } from './simulated-trainer.ts'
import { writeSmallWorld } from './small-world.ts'

let folder: string
/** Of every question's text. */
let answers: Map<string, string>
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meikai-simulated-run-'))
  const world = join(folder, 'world')
  // The fake server's tokens are code points.
  const byId = await writeSmallWorld(world, 60, { vocab_size: 65_536 })
  const items = await Promise.all(
    ['preference', 'test'].map((part) => loadJsonLines<ExamItem>(join(world, 'exam', `${part}.jsonl`))),
  )
  answers = new Map(items.flat().map(({ id, question }) => [question, byId.get(id) ?? '']))
})
afterAll(() => removeFolder(folder))

/** The shipped recipe, on a small world in place of a 72B model and texts that are not here. */
async function load(more: readonly string[]) {
  const world = join(folder, 'world')
  const overrides = [
    `model={folder: ${world}/model}`,
    `corpus.texts=[{path: ${world}/pretrain/medicine.jsonl}]`,
    'corpus.pastExam={}',
    'corpus.overlapCharacters=0',
    `exam={preference: {path: ${world}/exam/preference.jsonl, items: 3}, test: {path: ${world}/exam/test.jsonl, items: 2}, answerForm: option-text}`,
    ...[
      'sample.samples=4',
      'sample.maxTokens=99',
      'pair.pairsPerQuestion=2',
      'pair.maxTokens=256',
      'pair.heldOutShare=0',
    ],
    // What a step holds is nothing to this test.
    ...['corpus.sequenceTokens=256', 'pretrain.batchTokens=1024', 'pretrain.accumulate=1', 'prefer.pairsPerStep=2'],
    ...['pretrain.steps=6', 'pretrain.checkpointEverySteps=2', 'prefer.steps=4', 'prefer.checkpointEverySteps=2'],
    ...[
      'pretrain.rank=2',
      'prefer.rank=2',
      'examine.explainTokens=99',
      'examine.answerTokens=40',
      'corpus.heldOutShare=0',
    ],
    'engine.retries=9',
    ...more,
  ]
  const file = join(import.meta.dirname, '../recipes/preferred-medllm-qwen-72b.yaml')
  return (await loadRecipe(file, { overrides })).recipe
}

/** Right in every second explanation; which weights wrote it stands in each. */
const answer: Answer = (prompt, seed, weights) => {
  // The last question is the one that is asked: those before it are worked examples.
  const [right] = [...answers].reduce(
    ([best, at], [question, text]) => {
      const place = prompt.lastIndexOf(question)
      return place > at ? ([text, place] as const) : ([best, at] as const)
    },
    ['', -1] as readonly [string, number],
  )
  if (!prompt.endsWith('解説：')) return right
  return `${weights}による説明${seed}。\n答え：${seed % 2 === 0 ? right : 'なし'}`
}

interface Faults {
  schedule: Schedule
  servers: ServerSchedule
}

/** Runs the recipe until it comes to its end; each start after a death of meikai's is a new process's. */
async function simulate(name: string, { schedule, servers }: Faults, seed: number, overrides: readonly string[]) {
  const recipe = await load(overrides)
  const cluster = new SimulatedCluster(schedule, { schedule: servers, answer })
  const random = new Random(seed, 'absence')
  const runsFolder = join(folder, name)
  const run = join(runsFolder, recipe.name)
  for (let lives = 1; ; lives++) {
    const life = new SimulatedLife(cluster)
    const engine = new ClusterEngine(clusterSettings(recipe), life.ofTraining)
    const tools = await shareGpus(engine, recipe, run, life.signal, life.ofServers)
    if (await life.live(runRecipe(recipe, { runsFolder, tools, signal: life.signal }))) {
      const server = await readJson(join(run, serverFolder, 'server.json'))
      const { starts: serverStarts } = server as ServerRecord
      const told = { outcome: await describeOutcome(run), writers: await writersOf(run) }
      return { ...told, cluster, lives, serverStarts }
    }
    // Nobody is there for a while, longer than a server's lease or not.
    await cluster.clock.pass(random.integer(2) * 300)
  }
}

/** What came out: weights, losses, samples, pairs, answers. */
async function describeOutcome(run: string): Promise<Record<string, unknown>> {
  const outcome: Record<string, unknown> = {}
  for (const stage of (await readdir(run, { withFileTypes: true })).filter((entry) => entry.isDirectory())) {
    const place = join(run, stage.name)
    for (const name of await readdir(place)) {
      if (/^(answers|samples|pairs)\.jsonl$/.test(name))
        outcome[`${stage.name}/${name}`] = await hashFile(join(place, name))
      if (name === 'merged') outcome[`${stage.name}/merged`] = await hashFile(join(place, name, 'model.safetensors'))
      if (name !== 'metrics.jsonl') continue
      const metrics = await readMetrics(join(place, name))
      outcome[`${stage.name}/losses`] = metrics.flatMap((event) =>
        event.type === 'step-end' ? [[event.step, event.loss]] : [],
      )
    }
  }
  return outcome
}

/** Whose weights wrote the explanations of each variant's examination. */
async function writersOf(run: string): Promise<Record<string, string[]>> {
  const writers: Record<string, string[]> = {}
  for (const stage of await readdir(run)) {
    const [, variant] = /^examine-(.*)/.exec(stage) ?? []
    if (variant === undefined) continue
    const graded = await loadJsonLines<GradedAnswer>(join(run, stage, 'answers.jsonl'))
    writers[variant] = [...new Set(graded.flatMap(({ output }) => /^(\S+)による/.exec(output)?.[1] ?? []))]
  }
  return writers
}

/** Runs once undisturbed and under some schedules, which must not be told from it. @returns what happened in them. */
async function compare(name: string, count: number, overrides: readonly string[] = []) {
  const never: Faults = { schedule: new Map(), servers: { calls: new Map(), starts: new Map() } }
  const undisturbed = await simulate(`${name}-undisturbed`, never, 0, overrides)
  expect(undisturbed.lives).toBe(1)
  const happened: string[] = []
  let lives = 0
  for (let seed = 1; seed <= count; seed++) {
    const faults = { schedule: drawSchedule(seed, 30), servers: drawServerSchedule(seed, 50, 12) }
    const simulated = await simulate(`${name}-${seed}`, faults, seed, overrides)
    const where = `schedule ${seed}: ${simulated.cluster.happened.join(', ')}`
    expect(simulated.outcome, where).toEqual(undisturbed.outcome)
    expect(simulated.cluster.jobsLeft, where).toBe(0)
    // A training and a server, or two of either, never had the same GPUs.
    expect(simulated.cluster.mostAtOnce, where).toBe(1)
    happened.push(...simulated.cluster.happened)
    lives += simulated.lives
    await removeFolder(join(folder, `${name}-${seed}`))
  }
  return { undisturbed, happened, lives }
}

/** 100 take some minutes; MEIKAI_SCHEDULES=100 has them. */
const schedules = Number(process.env.MEIKAI_SCHEDULES ?? 10)

it(`comes to the same outcome under ${schedules} random schedules of faults`, { timeout: 900_000 }, async () => {
  const { undisturbed, happened, lives } = await compare('merged', schedules)
  // CPT, and preference training of four variants.
  expect(Object.keys(undisturbed.outcome).filter((key) => key.endsWith('/merged'))).toHaveLength(5)
  // Each of the six variants wrote with weights of its own.
  expect(Object.values(undisturbed.writers).map(({ length }) => length)).toEqual([1, 1, 1, 1, 1, 1])
  expect(new Set(Object.values(undisturbed.writers).flat()).size).toBe(6)
  expect(happened.length).toBeGreaterThan(3 * schedules)
  expect(lives).toBeGreaterThan(1.5 * schedules)
  // Every kind came up.
  expect([...new Set(happened)].sort()).toEqual([...faults, ...callFaults, ...startFaults].sort())
})

it('does so with adapters that one server of the base loads', { timeout: 300_000 }, async () => {
  const own = ['variants=[base,cpt,rpo]', 'pretrain.base=float32', 'prefer.base=float32', 'sampler.adapters=true']
  const { undisturbed } = await compare('adapters', Math.ceil(schedules / 5), own)
  const { base, cpt, rpo } = undisturbed.writers
  expect(base?.[0]).not.toMatch(/^meikai-/)
  for (const learnt of [cpt, rpo]) expect(learnt).toEqual([expect.stringMatching(/^meikai-[0-9a-f]{16}$/)])
  // One after each training: for sampling, and for the examinations of all variants.
  expect(undisturbed.serverStarts).toBeLessThanOrEqual(3)
})

// The recipe of the paper's experiment, every variant of it, through the whole pipeline in simulated time: its cluster and its
// sampler fail by random schedules, runs are started again, and what comes out is always the same.
import { mkdtemp, readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { hashFile } from '../src/base/files.ts'
import { Random } from '../src/base/random.ts'
import { ClusterEngine } from '../src/engine/cluster/cluster-engine.ts'
import { runRecipe } from '../src/pipeline/run.ts'
import { clusterSettings } from '../src/pipeline/tools.ts'
import { loadRecipe } from '../src/recipe/recipe.ts'
import { readMetrics } from '../src/runs/metrics.ts'
import { FAKE_END, FakeSampler } from '../src/sampler/fake.ts'
import { drawSchedule, MeikaiKilled, removeFolder, type Schedule, SimulatedCluster } from './simulated-cluster.ts'
import { writeSmallWorld } from './small-world.ts'

let folder: string
let answers: Map<string, string>
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meikai-simulated-run-'))
  // The fake sampler's tokens are code points.
  answers = await writeSmallWorld(join(folder, 'world'), 60, { vocab_size: 65_536 })
})
afterAll(() => removeFolder(folder))

/** The shipped recipe, on a small world in place of a 72B model and texts that are not here. */
async function load() {
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
    ...['pretrain.steps=6', 'pretrain.checkpointEverySteps=2', 'prefer.steps=4', 'prefer.checkpointEverySteps=2'],
    ...[
      'pretrain.rank=2',
      'prefer.rank=2',
      'examine.explainTokens=99',
      'examine.answerTokens=40',
      'corpus.heldOutShare=0',
    ],
    'engine.retries=9',
  ]
  const file = join(import.meta.dirname, '../recipes/preferred-medllm-qwen-72b.yaml')
  return (await loadRecipe(file, { overrides })).recipe
}

/** Runs the recipe until it comes to its end; each start after a death of meikai's is a new process's. */
async function simulate(name: string, schedule: Schedule, seed: number) {
  const recipe = await load()
  const cluster = new SimulatedCluster(schedule)
  const random = new Random(seed, 'sampler')
  let deaths = 0
  const openSampler = async () =>
    new FakeSampler(({ id, prompt }, sample) => {
      // The server goes away for good, and the run with it, now and then.
      if (seed > 0 && deaths < 5 && random.uniform() < 0.02) {
        deaths++
        throw new MeikaiKilled()
      }
      const answer = sample % 2 === 0 ? answers.get(id.replace(/\/\d$/, '')) : 'なし'
      return `${String(prompt).endsWith('解説：') ? `説明${sample}。\n答え：` : ''}${answer}${FAKE_END}`
    })
  const engine = new ClusterEngine(clusterSettings(recipe), {
    launcher: () => cluster.launcher(),
    pause: () => cluster.pause(),
  })
  const runsFolder = join(folder, name)
  for (let starts = 1; ; starts++) {
    try {
      for await (const _ of runRecipe(recipe, { runsFolder, tools: { engine, openSampler } }));
      return { outcome: await describeOutcome(join(runsFolder, recipe.name)), cluster, starts }
    } catch (error) {
      if (!(error instanceof MeikaiKilled)) throw error
    }
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

/** 100 take five minutes; MEIKAI_SCHEDULES=100 has them. */
const schedules = Number(process.env.MEIKAI_SCHEDULES ?? 15)

it(`comes to the same outcome under ${schedules} random schedules of faults`, { timeout: 900_000 }, async () => {
  const undisturbed = await simulate('undisturbed', new Map(), 0)
  // CPT, and preference training of four variants.
  expect(Object.keys(undisturbed.outcome).filter((key) => key.endsWith('/merged'))).toHaveLength(5)
  expect(undisturbed.starts).toBe(1)
  let faults = 0
  let starts = 0
  for (let seed = 1; seed <= schedules; seed++) {
    const simulated = await simulate(`schedule-${seed}`, drawSchedule(seed, 30), seed)
    expect(simulated.outcome, `schedule ${seed}: ${simulated.cluster.happened.join(', ')}`).toEqual(undisturbed.outcome)
    expect(simulated.cluster.jobsLeft).toBe(0)
    faults += simulated.cluster.happened.length
    starts += simulated.starts
    await removeFolder(join(folder, `schedule-${seed}`))
  }
  expect(faults).toBeGreaterThan(schedules)
  expect(starts).toBeGreaterThan(1.5 * schedules)
})

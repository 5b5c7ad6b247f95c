// A run that starts its own servers: training and sampling hand the same GPUs back and forth; killed and run again it takes
// its server up again, and none is left behind.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { loadJsonLines, readJson } from '../src/base/files.ts'
import type { Engine, TrainingJob } from '../src/engine/engine.ts'
import { FakeEngine } from '../src/engine/fake.ts'
import { runRecipe } from '../src/pipeline/run.ts'
import { type KeptServerEvent, serverEventsName } from '../src/pipeline/server-events.ts'
import { shareGpus } from '../src/pipeline/tools.ts'
import type { SampledExplanation } from '../src/preference/records.ts'
import { loadRecipe } from '../src/recipe/recipe.ts'
import { endServer, listServers } from '../src/sampler/started/server-end.ts'
import { serverFolder } from '../src/sampler/started/server-record.ts'
import { freeGpus, holdersOf, lockGpus } from './fake-gpus.ts'
import { behave, fakeFiles, listCalls, listStarts, writeFakeServing } from './fake-vllm.fixture.ts'
import { startRun } from './meikai-process.ts'
import { writeStartedRun } from './small-world.ts'

let folder: string
let serving: string
let lock: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pipeline-started-'))
  serving = join(folder, 'serving')
  lock = join(serving, fakeFiles.lock)
  await writeStartedRun(folder, 'started', { documents: 100, concurrency: 2, preference: 8, test: 4 })
  await writeFakeServing(serving, { loadMilliseconds: 100, takesExam: true })
})
afterAll(async () => {
  for (const { folder: server } of await listServers(join(folder, 'runs'))) await endServer(server, 'done')
  await rm(folder, { recursive: true })
})

/** A training that needs the GPUs for itself. */
class GreedyEngine implements Engine {
  private readonly inner = new FakeEngine()

  async *train(job: TrainingJob, signal: AbortSignal) {
    lockGpus(lock, [process.pid])
    try {
      yield* this.inner.train(job, signal)
    } finally {
      freeGpus(lock)
    }
  }

  estimate(job: TrainingJob) {
    return this.inner.estimate(job)
  }
}

const never = new AbortController().signal

it('training and sampling take turns on the same GPUs, which neither would share', async () => {
  const { recipe } = await loadRecipe(join(folder, 'recipe.yaml'), { overrides: ['name=turns'] })
  const runsFolder = join(folder, 'runs')
  const tools = await shareGpus(new GreedyEngine(), recipe, join(runsFolder, 'turns'), never)
  const stages: string[] = []
  const waits: string[] = []
  for await (const event of runRecipe(recipe, { runsFolder, tools })) {
    if (event.type === 'stage-end') stages.push(event.stage)
    if (event.type === 'server') waits.push(`${event.stage} ${event.event.type} ${event.event.serves}`)
  }
  expect(stages.filter((stage) => /^(pretrain|prefer|sample|examine)/.test(stage))).toEqual([
    'pretrain',
    'sample-cpt',
    'prefer-cpt+rpo',
    'examine-base',
    'examine-cpt',
    'examine-cpt+rpo',
  ])
  const starts = await listStarts(serving)
  expect(starts.map(({ name }) => name)).toEqual(['run/cpt', 'run/base', 'run/cpt', 'run/cpt+rpo'])
  const told = ['sample-cpt run/cpt', 'examine-base run/base', 'examine-cpt run/cpt', 'examine-cpt+rpo run/cpt+rpo']
  const [start, wait, ready] = ['server-start', 'server-wait', 'server-ready']
  const expected = told
    .map((one) => one.split(' '))
    .flatMap(([stage, of]) => [start, wait, ready].map((type) => `${stage} ${type} ${of}`))
  expect([...new Set(waits)]).toEqual(expected)
  const kept = await loadJsonLines<KeptServerEvent>(join(runsFolder, 'turns', serverFolder, serverEventsName))
  expect(kept.map(({ type, stage, serves }) => `${stage} ${type} ${serves}`)).toEqual(
    expected.filter((one) => !one.includes(wait ?? '')),
  )
  expect(starts[0]?.model).toBe(join(runsFolder, 'turns', 'pretrain', 'training', 'result'))
  expect(holdersOf(lock)).toEqual([])
  expect(await listServers(runsFolder)).toMatchObject([{ name: 'meikai-turns-server', state: 'done', starts: 4 }])

  // Without taking turns it would not have come through.
  await tools.openSampler({ folder: join(folder, 'world', 'model'), name: 'base' }, { threads: 1, sequences: 1 })
  const job = (await readJson(join(runsFolder, 'turns', 'pretrain', 'manifest.json'))) as TrainingJob
  await expect(new GreedyEngine().train(job, never).next()).rejects.toThrow(/CUDA out of memory/)
  await tools.close()
  expect(holdersOf(lock)).toEqual([])
})

it('one server answers for the base and for what LoRA learnt on it', async () => {
  await writeFakeServing(serving, { loadMilliseconds: 100, takesExam: true })
  const overrides = [
    'name=adapters',
    'variants=[base,cpt]',
    'pretrain={method: lora, rank: 4}',
    'sampler.adapters=true',
  ]
  const { recipe } = await loadRecipe(join(folder, 'recipe.yaml'), { overrides })
  const runsFolder = join(folder, 'runs')
  const tools = await shareGpus(new GreedyEngine(), recipe, join(runsFolder, 'adapters'), never)
  for await (const _ of runRecipe(recipe, { runsFolder, tools }));
  const starts = await listStarts(serving)
  expect(starts.map(({ name }) => name)).toEqual(['run/base'])
  expect(starts[0]?.rest.join(' ')).toContain('--enable-lora --max-lora-rank 16')
  expect(await loadJsonLines(join(runsFolder, 'adapters', 'examine-cpt', 'answers.jsonl'))).toHaveLength(8)
  expect(holdersOf(lock)).toEqual([])
})

it('killed at once and run again, it goes on with the same server: no sample is lost, doubled, or asked for again once it is written', {
  timeout: 180_000,
}, async () => {
  await writeFakeServing(serving, { loadMilliseconds: 100, takesExam: true, latencyMilliseconds: 200 })
  const runsFolder = join(folder, 'runs')
  const small = ['variants=[cpt+rpo]', 'pretrain.batchTokens=512', 'corpus.sequenceTokens=256', 'corpus.heldOutShare=0']
  const set = small.flatMap((setting) => ['--set', setting])
  const start = () => startRun(join(folder, 'recipe.yaml'), '--runs', runsFolder, ...set)
  const stage = join(runsFolder, 'started', 'sample-cpt')

  const killed = start()
  await killed.progress(5)
  await killed.kill()
  expect(holdersOf(lock)).toHaveLength(2)
  const kept = await loadJsonLines<SampledExplanation>(join(stage, 'partial.jsonl'))
  expect(kept.length).toBeGreaterThanOrEqual(5)

  await behave(serving, { loadMilliseconds: 100, takesExam: true })
  const { status, stderr } = await start().ended
  expect(status, stderr).toBe(0)
  // The first start served both.
  expect((await listStarts(serving)).map(({ name }) => name)).toEqual(['run/cpt', 'run/cpt+rpo'])
  await sleep(500)
  expect(holdersOf(lock)).toEqual([])

  const samples = await loadJsonLines<SampledExplanation>(join(stage, 'samples.jsonl'))
  expect(new Set(samples.map(({ id }) => id)).size).toBe(8 * 4)
  expect(samples).toHaveLength(8 * 4)
  // Every text tells its seed: a question's samples have one after the other.
  const seedOf = ({ text }: { text: string }) => Number(/説明(\d+)/.exec(text)?.[1])
  const firsts = new Map(samples.filter(({ sample }) => sample === 0).map((one) => [one.question, seedOf(one)]))
  for (const one of samples) expect(seedOf(one)).toBe((firsts.get(one.question) ?? Number.NaN) + one.sample)
  // Asked for again is only what was under way: a call a place, and at most four answers a place that waited to be written.
  const asked = (await listCalls(serving)).map((call) => Number(call.split(' ')[0])).filter((seed) => seed > 0)
  for (const one of kept) expect(asked.filter((seed) => seed === seedOf(one))).toHaveLength(1)
  expect(asked.length - samples.length).toBeGreaterThan(0)
  expect(asked.length - samples.length).toBeLessThanOrEqual(2 * (1 + 4))
})

// A run whose texts come from served models: asked once, also after a kill; its hosts stand in the report.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { loadJsonLines, readJson } from '../src/base/files.ts'
import type { RunEvent } from '../src/base/progress.ts'
import { FakeEngine } from '../src/engine/fake.ts'
import { diagnose } from '../src/pipeline/doctor/diagnose.ts'
import { runRecipe } from '../src/pipeline/run.ts'
import { openServed } from '../src/pipeline/served.ts'
import type { SampledExplanation } from '../src/preference/records.ts'
import { loadRecipe } from '../src/recipe/recipe.ts'
import type { Completion } from '../src/sampler/sampler.ts'
import { FakeServer } from '../src/sampler/server/fake-server.fixture.ts'
import { answerExam } from './fake-vllm.fixture.ts'
import { servedRecipe, writeSmallWorld } from './small-world.ts'

let folder: string
let server: FakeServer
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pipeline-served-'))
  await writeSmallWorld(join(folder, 'world'), 200)
  server = await FakeServer.start({
    latencyMilliseconds: 3,
    write: answerExam,
  })
  await writeFile(
    join(folder, 'recipe.yaml'),
    servedRecipe(
      'served',
      { preference: 12, test: 12 },
      `  endpoints: [{url: "${server.url}", concurrency: 2, keyVariable: SERVED_KEY}]\n  dialect: plain`,
    ),
  )
})
afterAll(async () => {
  await server.close()
  await rm(folder, { recursive: true })
})

async function run(stopAfter?: { stage: string; progress: number }): Promise<RunEvent[]> {
  process.env.SERVED_KEY = 'very-secret'
  const { recipe } = await loadRecipe(join(folder, 'recipe.yaml'))
  const tools = { engine: new FakeEngine(), openSampler: openServed(recipe) }
  const stop = new AbortController()
  const events: RunEvent[] = []
  try {
    for await (const event of runRecipe(recipe, { runsFolder: join(folder, 'runs'), tools, signal: stop.signal })) {
      events.push(event)
      const counted = events.filter((one) => one.type === 'stage-progress' && one.stage === stopAfter?.stage)
      if (counted.length === stopAfter?.progress) stop.abort(new Error('killed'))
    }
  } catch (error) {
    if (!stop.signal.aborted) throw error
  }
  return events
}

const inRun = (...path: string[]) => join(folder, 'runs', 'served', ...path)
const asked = () =>
  server.bodies.map(({ model, prompt, seed, max_tokens }) => `${model} ${max_tokens} ${seed} ${prompt}`)

it('asks each sample once, whenever it was killed, under the names of the models', async () => {
  await run({ stage: 'sample-cpt', progress: 11 })
  const kept = await loadJsonLines<Completion>(inRun('sample-cpt', 'partial.jsonl'))
  expect(kept.length).toBeGreaterThanOrEqual(11)
  const before = server.bodies.length
  await run({ stage: 'examine-cpt', progress: 7 })
  // What was under way when it was killed is asked again, nothing else.
  expect(server.bodies.filter(({ model }) => model === 'run/cpt').length).toBeGreaterThan(48)
  const again = asked()
    .slice(before)
    .filter((call) => asked().slice(0, before).includes(call))
  expect(again.length).toBeLessThanOrEqual(2)
  const atSecondKill = server.bodies.length
  const last = await run()
  expect(last.at(-1)!.type).toBe('run-end')
  const repeated = asked()
    .slice(atSecondKill)
    .filter((call) => asked().slice(0, atSecondKill).includes(call))
  expect(repeated.length).toBeLessThanOrEqual(2)

  const samples = await loadJsonLines<SampledExplanation>(inRun('sample-cpt', 'samples.jsonl'))
  expect(samples.map(({ question, sample }) => `${question}/${sample}`)).toHaveLength(48)
  expect(new Set(samples.map(({ id }) => id)).size).toBe(48)
  // A server of the common part gives no token ids: they are those of the text, with the end token.
  expect(samples.every(({ tokens, finishReason }) => tokens.length > 1 && finishReason === 'end')).toBe(true)
  expect([...new Set(server.bodies.map(({ model }) => model))].sort()).toEqual(['run/base', 'run/cpt', 'run/cpt+rpo'])
})

it('is told by the doctor to need nothing more, and before its first run what all of it needs', async () => {
  const loaded = await loadRecipe(join(folder, 'recipe.yaml'))
  const told = async (runs: string) => {
    const findings: string[] = []
    for await (const { subject, message } of diagnose(loaded, join(folder, runs)))
      findings.push(`${subject}: ${message}`)
    return findings.join('\n')
  }
  expect(await told('runs')).toMatch(/^disk: up to 0 B for weights.*\n(.*\n)*time: about 0.0 s, all is done$/m)
  const before = await told('no-runs')
  expect(before).toMatch(/^disk: up to [1-9].* for weights/m)
  expect(before).toMatch(/^time: sample-cpt: 2,880 new tokens \/ \(2 calls at once x 30 tokens\/s\)$/m)
})

it('says in the report which hosts were asked, and the key nowhere', async () => {
  const input = (await readJson(inRun('report', 'input.json'))) as { run: { hosts: string[] } }
  expect(input.run.hosts).toEqual([new URL(server.url).host])
  for (const file of ['report/report.html', 'report/input.json', 'examine-cpt/manifest.json']) {
    expect(await readFile(inRun(file), 'utf8')).not.toContain('very-secret')
  }
  expect(new Set(server.authorizations)).toEqual(new Set(['Bearer very-secret']))
})

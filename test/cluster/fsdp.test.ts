// A model that two processes share out by FSDP learns what it learns in one, also where a process is killed and the training
// goes on from a checkpoint.
import { spawnSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { TrainingEvent } from '../../src/base/progress.ts'
import { ClusterEngine } from '../../src/engine/cluster/cluster-engine.ts'
import { attemptFolder } from '../../src/engine/cluster/job-record.ts'
import { rankPattern } from '../../src/engine/cluster/script.ts'
import { EmbeddedEngine } from '../../src/engine/embedded/embedded-engine.ts'
import { collectEvents } from '../../src/engine/engine.contract.ts'
import type { TrainingJob } from '../../src/engine/engine.ts'
import { readSafetensorsHeader, readTensor } from '../../src/formats/safetensors.ts'
import { prepareJob, smallLora } from '../training-example.ts'
import { cpuSettings } from './settings.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meikai-fsdp-'))
})
afterAll(() => rm(folder, { recursive: true }))

const engine = new ClusterEngine(cpuSettings({ processes: 2, sharding: 'fsdp' }))
const lossesOf = (events: readonly TrainingEvent[]) =>
  events.flatMap((event) => (event.type === 'step-end' ? [event.loss] : []))

it.each([
  [
    'an adapter, of which the best is kept',
    { method: smallLora, keep: 'best', evaluateEverySteps: 2, learningRate: 0.1 },
  ],
  ['all weights', { evaluationFiles: {} }],
] as const)('trains %s, and goes on after a killed process as if nothing had happened', async (name, change) => {
  const place = join(folder, name.replace(/\W+/g, '-'))
  const more: Partial<TrainingJob> = {
    accumulate: 2,
    checkpointEverySteps: 2,
    keepCheckpoints: 2,
    steps: 24,
    ...change,
  }
  const job = await prepareJob(place, 'next-token', more)
  const embedded = { ...job, outputFolder: join(place, 'embedded') }
  const own = await collectEvents(new EmbeddedEngine(), embedded)
  const attempt = attemptFolder(join(job.outputFolder, 'cluster'), 1)
  let events: TrainingEvent[] = []
  let interruptions = 0
  for await (const event of engine.train(job, new AbortController().signal)) {
    if (event.type === 'training-start') events = []
    if (event.type === 'training-interrupted') interruptions++
    events.push(event)
    if (event.type === 'checkpoint-saved' && interruptions === 0) {
      spawnSync('pkill', ['-KILL', '-o', '-f', '--', rankPattern(attempt)])
    }
  }
  expect(interruptions).toBe(1)
  expect(events[0]?.type === 'training-start' && events[0].firstStep).toBeGreaterThan(1)
  const [ours, theirs] = [lossesOf(own), lossesOf(events)]
  expect(theirs).toHaveLength(24)
  for (const [i, loss] of theirs.entries()) expect(Math.abs(loss - (ours[i] ?? Number.NaN))).toBeLessThan(1e-3)
  const kept = own.at(-1)
  expect(events.at(-1)).toMatchObject({ keptStep: kept?.type === 'training-end' && kept.keptStep })
  const file = job.method.kind === 'lora' ? 'adapter_model.safetensors' : 'model.safetensors'
  const result = (of: TrainingJob) => readSafetensorsHeader(join(of.outputFolder, 'result', file))
  const found = (await result(job)).tensors
  for (const [tensor, stored] of (await result(embedded)).tensors) {
    const same = found.get(tensor)
    expect(same?.shape, tensor).toEqual(stored.shape)
    if (same !== undefined)
      expect(furthest(await readTensor(same), await readTensor(stored)), tensor).toBeLessThan(1e-2)
  }
})

function furthest(a: Float32Array, b: Float32Array): number {
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - (b[i] ?? Number.NaN))), 0)
}

// A training of the cluster engine in simulated time: whatever fails and whenever, it comes to the same end.
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { hashFile } from '../src/base/files.ts'
import type { TrainingEvent } from '../src/base/progress.ts'
import type { OpenSettings } from '../src/engine/cluster/choose.ts'
import { ClusterEngine } from '../src/engine/cluster/cluster-engine.ts'
import type { TrainingJob } from '../src/engine/engine.ts'
import { removeFolder, SimulatedCluster } from './simulated-cluster.ts'
import { MeikaiKilled } from './simulated-job.ts'
import { drawSchedule, faults, type Schedule, simulatedLoss } from './simulated-trainer.ts'
import { prepareJob, smallLora } from './training-example.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meikai-simulated-'))
})
afterAll(() => removeFolder(folder))

const settings: OpenSettings = {
  place: 'slurm',
  environment: '/nowhere',
  card: 'A100-80GB',
  nodes: 1,
  processes: 4,
  device: 'gpu',
  flashAttention: false,
  retries: 8,
  warningSeconds: 60,
  timeLimit: '24:00:00',
  setup: [],
}
const steps = 24

async function simulate(name: string, schedule: Schedule) {
  const cluster = new SimulatedCluster(schedule)
  const engine = new ClusterEngine(settings, { launcher: () => cluster.launcher(), pause: () => cluster.pause() })
  const change: Partial<TrainingJob> = {
    method: smallLora,
    steps,
    accumulate: 4,
    checkpointEverySteps: 5,
    keepCheckpoints: 2,
    evaluationFiles: {},
  }
  const job = await prepareJob(join(folder, name), 'next-token', change)
  const interruptions: TrainingEvent[] = []
  for (;;) {
    let events: TrainingEvent[] = []
    try {
      for await (const event of engine.train(job, new AbortController().signal)) {
        if (event.type === 'training-interrupted') interruptions.push(event)
        if (event.type === 'training-start') events = []
        events.push(event)
      }
      const result = join(job.outputFolder, 'result')
      const losses = events.flatMap((event) => (event.type === 'step-end' ? [[event.step, event.loss]] : []))
      const hash = await hashFile(join(result, 'adapter_model.safetensors'))
      return { cluster, losses, interruptions, result: hash, end: events.at(-1) }
    } catch (error) {
      // Started again, as a user would.
      if (!(error instanceof MeikaiKilled)) throw error
    }
  }
}

it('comes to the same losses and weights under 100 random schedules of faults', { timeout: 300_000 }, async () => {
  const undisturbed = await simulate('undisturbed', new Map())
  expect(undisturbed.losses).toEqual(Array.from({ length: steps }, (_, i) => [i + 1, simulatedLoss(i + 1)]))
  const happened = new Map<string, number>()
  for (let seed = 0; seed < 100; seed++) {
    const { cluster, losses, result, end } = await simulate(`schedule-${seed}`, drawSchedule(seed, 60))
    const where = `schedule ${seed}: ${cluster.happened.join(', ')}`
    expect(losses, where).toEqual(undisturbed.losses)
    expect(result, where).toBe(undisturbed.result)
    expect(end, where).toMatchObject({ type: 'training-end', step: steps, keptStep: steps })
    expect(cluster.jobsLeft, where).toBe(0)
    expect(cluster.mostAtOnce, where).toBe(1)
    for (const fault of cluster.happened) happened.set(fault, (happened.get(fault) ?? 0) + 1)
    await removeFolder(join(folder, `schedule-${seed}`))
  }
  // Every kind of fault came up, often.
  for (const fault of faults) expect(happened.get(fault) ?? 0).toBeGreaterThan(10)
})

it('says why it was interrupted, and what is done again', async () => {
  const { interruptions } = await simulate(
    'interrupted',
    new Map([
      [7, 'rank killed'],
      [12, 'time limit'],
      [18, 'job vanished'],
    ]),
  )
  expect(interruptions).toEqual([
    { type: 'training-interrupted', cause: 'a process was killed from outside.', step: 7, firstStep: 6 },
    { type: 'training-interrupted', cause: 'the time limit came.', step: 10, firstStep: 11 },
    { type: 'training-interrupted', cause: 'the job was killed, or its machine went down.', step: 16, firstStep: 16 },
  ])
})

it('ends with the cause and the place of the log where it fails again and again', async () => {
  const every = new Map(Array.from({ length: 60 }, (_, i) => [i + 1, 'rank killed' as const]))
  await expect(simulate('hopeless', every)).rejects.toThrow(/killed from outside.* Log: .*attempt-\d+\/log\.txt/)
})

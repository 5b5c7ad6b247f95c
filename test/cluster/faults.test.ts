// What goes wrong on a cluster, on real processes: a rank, the driver and meikai itself are killed, the disk is full, and the
// losses are those of a training that nothing happened to; memory runs out.
import { spawnSync } from 'node:child_process'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TrainingEvent } from '../../src/base/progress.ts'
import { ClusterEngine } from '../../src/engine/cluster/cluster-engine.ts'
import { attemptFolder, type JobRecord, readRecord, writeRecord } from '../../src/engine/cluster/job-record.ts'
import { cancelJob, listJobs } from '../../src/engine/cluster/overview.ts'
import { rankPattern } from '../../src/engine/cluster/script.ts'
import { collectEvents } from '../../src/engine/engine.contract.ts'
import type { TrainingJob } from '../../src/engine/engine.ts'
import { missingTexts, prepareRealJob } from './real-job.ts'
import { cpuSettings } from './settings.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meikai-faults-'))
})
afterAll(() => rm(folder, { recursive: true }))

const engine = new ClusterEngine(cpuSettings({ processes: 2 }))
const never = new AbortController().signal

const lossesOf = (events: readonly TrainingEvent[]) =>
  events.flatMap((event) => (event.type === 'step-end' ? [[event.step, event.loss]] : []))

/** Mounting a small disk takes root, and a machine that allows it. */
const canMount = spawnSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).status === 0

/** Processes whose command line fits. */
function findProcesses(pattern: string): number[] {
  return spawnSync('pgrep', ['-f', '--', pattern], { encoding: 'utf8' }).stdout.split('\n').filter(Boolean).map(Number)
}

/** Follows a job; `onStep` may kill things. Gives the events since the last training-start. */
async function follow(
  job: TrainingJob,
  onStep: (attempt: number, step: number) => 'leave' | undefined = () => undefined,
) {
  let events: TrainingEvent[] = []
  let starts = 0
  for await (const event of engine.train(job, never)) {
    if (event.type === 'training-start') {
      events = []
      starts++
    }
    events.push(event)
    const attempt = (await readRecord(join(job.outputFolder, 'cluster')))?.attempts.length ?? 0
    if (event.type === 'step-end' && onStep(attempt, event.step) === 'leave') break
  }
  return { events, starts }
}

describe.skipIf(missingTexts !== '')(`a cluster job on real texts${missingTexts}`, () => {
  it('comes to the same losses after a killed rank, a killed driver and a killed meikai', async () => {
    const quiet = await prepareRealJob(join(folder, 'quiet'))
    const undisturbed = lossesOf((await follow(quiet)).events)
    expect(undisturbed.map(([step]) => step)).toEqual(Array.from({ length: 14 }, (_, i) => i + 1))

    const job = await prepareRealJob(join(folder, 'disturbed'))
    const cluster = join(job.outputFolder, 'cluster')
    const killed: string[] = []
    const kill = (what: string, pattern: string) => {
      const [pid] = findProcesses(pattern)
      if (pid === undefined || killed.includes(what)) return
      process.kill(pid, 'SIGKILL')
      killed.push(what)
    }
    const first = await follow(job, (attempt, step) => {
      if (attempt === 1 && step >= 3) kill('rank', rankPattern(attemptFolder(cluster, 1)))
      if (attempt === 2 && step >= 6) kill('driver', `bin/torchrun .*${attemptFolder(cluster, 2)}`)
      // meikai dies: nobody follows, the job goes on.
      return attempt === 3 && step >= 10 ? 'leave' : undefined
    })
    expect(killed).toEqual(['rank', 'driver'])
    expect(first.starts).toBe(3)
    // Nor was written down which process it is.
    const record = (await readRecord(cluster)) as JobRecord
    delete record.attempts[2]?.handle
    await writeRecord(cluster, record)
    const { events, starts } = await follow(job)
    expect(starts).toBe(1)
    expect((await readRecord(cluster))?.attempts.length).toBe(3)
    expect(lossesOf(events)).toEqual(undisturbed)
    expect(events.at(-1)).toMatchObject({ type: 'training-end', step: 14 })
    expect(findProcesses(cluster)).toEqual([])
  })

  it('is listed, and saves a checkpoint when it is cancelled', async () => {
    // As a run lays it out: runs/<run>/<stage>/training.
    const runs = join(folder, 'runs')
    const job = await prepareRealJob(join(folder, 'cancelled'), {
      outputFolder: join(runs, 'a-run/pretrain/training'),
      steps: 200,
      checkpointEverySteps: 1000,
    })
    let asked = false
    const following = follow(job, (_, step) => {
      if (step < 3 || asked) return undefined
      asked = true
      void listJobs(runs).then(async ([only]) => {
        expect(only).toMatchObject({ name: 'meikai-a-run-pretrain', state: 'running', steps: 200, attempts: 1 })
        expect(only?.step).toBeGreaterThanOrEqual(3)
        expect(await cancelJob(only?.folder ?? '', false)).toBe(true)
      })
      return undefined
    })
    await expect(following).rejects.toThrow(/meikai-a-run-pretrain was cancelled/)
    const [only] = await listJobs(runs)
    expect(only?.state).toBe('cancelled')
    expect(findProcesses(job.outputFolder)).toEqual([])
    // It goes on from the checkpoint that it saved.
    const again = await follow(job, () => 'leave')
    const start = again.events[0]
    expect(start).toMatchObject({ type: 'training-start' })
    expect(start?.type === 'training-start' && start.firstStep).toBeGreaterThan(3)
    expect(await cancelJob(join(job.outputFolder, 'cluster'), true)).toBe(true)
    await expect.poll(() => findProcesses(job.outputFolder), { timeout: 20_000 }).toEqual([])
  })

  it.skipIf(!canMount)('ends where the disk is full, and goes on from the last checkpoint once it is not', async () => {
    const disk = join(folder, 'disk')
    await mkdir(disk)
    // Each checkpoint has a tokenizer of 11 MB: there is room for one.
    expect(spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=30m', 'tmpfs', disk]).status).toBe(0)
    try {
      const job = await prepareRealJob(join(folder, 'full'), { outputFolder: join(disk, 'training'), steps: 8 })
      await expect(follow(job)).rejects.toThrow(/^training on the cluster failed, after step \d+: the disk is full\./)
      expect(findProcesses(job.outputFolder)).toEqual([])
      expect(spawnSync('mount', ['-o', 'remount,size=300m', disk]).status).toBe(0)
      const { events } = await follow(job)
      const start = events[0]
      expect(start?.type === 'training-start' && start.firstStep).toBeGreaterThan(1)
      expect(events.at(-1)).toMatchObject({ type: 'training-end', step: 8 })
    } finally {
      spawnSync('umount', [disk])
    }
  })

  it('says that memory ran out, and does not try again', async () => {
    // Logits of a row of 16,384 tokens take 10 GB, in processes that may have 8 GB of addresses.
    const job = await prepareRealJob(join(folder, 'memory'), { batch: { tokens: 16_384, sequenceTokens: 16_384 } })
    const [setup = ''] = cpuSettings().setup
    const small = new ClusterEngine(cpuSettings({ setup: [setup, 'ulimit -v 8000000'] }))
    await expect(collectEvents(small, job)).rejects.toThrow(/memory ran out\. Start fewer processes/)
    expect((await readRecord(join(job.outputFolder, 'cluster')))?.attempts).toHaveLength(1)
  })
})

// The cluster engine through a real Slurm of one node on this machine: submitted, followed, cut off by its time limit with a
// warning first, gone on with in the next job; a process of it killed; none left behind. `npm run test:slurm` runs it.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TrainingEvent } from '../../src/base/progress.ts'
import { ClusterEngine } from '../../src/engine/cluster/cluster-engine.ts'
import { attemptFolder, readRecord } from '../../src/engine/cluster/job-record.ts'
import { launchers, run } from '../../src/engine/cluster/launcher.ts'
import { rankPattern } from '../../src/engine/cluster/script.ts'
import { missingTexts, prepareRealJob } from './real-job.ts'
import { cpuSettings } from './settings.ts'

const shared = process.env.MEIKAI_SHARED ?? join(import.meta.dirname, '../../../shared')
const setUp = join(shared, 'slurm-one-node.sh')
const reason = !process.env.MEIKAI_SLURM
  ? ' (skipped: npm run test:slurm runs it)'
  : existsSync(setUp)
    ? missingTexts
    : ` (skipped: no ${setUp}; set MEIKAI_SHARED)`

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meikai-slurm-'))
})
afterAll(() => rm(folder, { recursive: true }))

const never = new AbortController().signal
const lossesOf = (events: readonly TrainingEvent[]) =>
  events.flatMap((event) => (event.type === 'step-end' ? [[event.step, event.loss]] : []))

describe.skipIf(reason !== '')(`a real Slurm${reason}`, () => {
  beforeAll(() => {
    if (spawnSync('sinfo', ['-h'], { encoding: 'utf8' }).status === 0) return
    const { status, stderr } = spawnSync('bash', [setUp, join(tmpdir(), 'meikai-slurm-node')], { encoding: 'utf8' })
    if (status !== 0) throw new Error(stderr)
  })

  it('goes on in the next job after the time limit, and comes to the same losses', async () => {
    const steps = { steps: 100, checkpointEverySteps: 1000 }
    const here = await prepareRealJob(join(folder, 'here'), steps)
    const quiet: TrainingEvent[] = []
    for await (const event of new ClusterEngine(cpuSettings({ processes: 2 })).train(here, never)) quiet.push(event)

    const job = await prepareRealJob(join(folder, 'there'), steps)
    const engine = new ClusterEngine(
      cpuSettings({ processes: 2, place: 'slurm', timeLimit: '00:03:00', warningSeconds: 60, partition: 'main' }),
    )
    let events: TrainingEvent[] = []
    const starts: number[] = []
    for await (const event of engine.train(job, never)) {
      if (event.type === 'training-start') {
        events = []
        starts.push(event.firstStep)
      }
      events.push(event)
    }
    // No checkpoint was due: the one that it went on from is that of the warning.
    expect(starts.length).toBeGreaterThan(1)
    expect(starts[1]).toBeGreaterThan(1)
    expect(lossesOf(events)).toEqual(lossesOf(quiet))
    const ids = (await readRecord(join(job.outputFolder, 'cluster')))?.attempts.map(
      ({ handle }) => handle?.place === 'slurm' && handle.id,
    )
    expect(new Set(ids).size).toBe(starts.length)
    expect((await run('squeue', ['--noheader'])).output).toBe('')
  })

  it('comes to the same losses after a process is killed, and leaves no job behind', async () => {
    const quiet: TrainingEvent[] = []
    const here = await prepareRealJob(join(folder, 'quiet'))
    for await (const event of new ClusterEngine(cpuSettings({ processes: 2 })).train(here, never)) quiet.push(event)

    const job = await prepareRealJob(join(folder, 'killed'))
    const attempt = attemptFolder(join(job.outputFolder, 'cluster'), 1)
    let events: TrainingEvent[] = []
    let interruptions = 0
    for await (const event of new ClusterEngine(cpuSettings({ processes: 2, place: 'slurm' })).train(job, never)) {
      if (event.type === 'training-start') events = []
      events.push(event)
      if (event.type === 'training-interrupted') interruptions++
      if (event.type === 'checkpoint-saved' && interruptions === 0) {
        const [first] = (await readRecord(join(job.outputFolder, 'cluster')))?.attempts ?? []
        expect(await launchers.slurm.find(attempt)).toEqual(first?.handle)
        spawnSync('pkill', ['-KILL', '-o', '-f', '--', rankPattern(attempt)])
      }
    }
    expect(interruptions).toBe(1)
    expect(await launchers.slurm.find(attempt)).toBeUndefined()
    expect(lossesOf(events)).toEqual(lossesOf(quiet))
    expect((await run('squeue', ['--noheader'])).output).toBe('')
  })

  it('says what Slurm refuses', async () => {
    const job = await prepareRealJob(join(folder, 'refused'))
    const engine = new ClusterEngine(cpuSettings({ place: 'slurm', partition: 'no-such-partition' }))
    await expect(async () => {
      for await (const _ of engine.train(job, never));
    }).rejects.toThrow(/sbatch refused .*partition/)
  })
})

// The cluster jobs of a folder of runs, for people: what runs, how far it is, and how to end it.
import { join } from 'node:path'
import { UserError } from '../../base/errors.ts'
import { clusterFiles } from './configuration.ts'
import { attemptFolder, findJobs, readExit, readRecord, writeRecord } from './job-record.ts'
import { launchers, nameHandle } from './launcher.ts'
import { LineReader } from './training-log.ts'

export interface JobOverview {
  name: string
  /** The job's cluster folder. */
  folder: string
  /** failed: ended without its result; waiting: in Slurm's queue. */
  state: 'waiting' | 'running' | 'done' | 'failed' | 'cancelled' | 'not started'
  /** '@12345' for a process, Slurm's number for a batch job. */
  id: string
  step: number
  steps: number
  attempts: number
  log: string
}

export async function listJobs(runsFolder: string): Promise<JobOverview[]> {
  return Promise.all((await findJobs(runsFolder)).map(describeJob))
}

async function describeJob(folder: string): Promise<JobOverview> {
  const record = await readRecord(folder)
  if (record === undefined) throw new UserError(`${folder}: holds no job.`)
  const last = record.attempts.at(-1)
  const place = attemptFolder(folder, last?.number ?? 1)
  const alive = last?.handle === undefined ? 'gone' : await launchers[last.handle.place].state(last.handle)
  const step = await lastStep(folder, place)
  const exit = await readExit(place)
  const ended =
    last === undefined
      ? 'not started'
      : exit?.status === 0 && step >= record.rows.steps
        ? 'done'
        : record.cancelled
          ? 'cancelled'
          : 'failed'
  return {
    name: record.name,
    folder,
    state: alive === 'gone' ? ended : alive,
    id: nameHandle(last?.handle),
    step,
    steps: record.rows.steps,
    attempts: record.attempts.length,
    log: join(place, clusterFiles.log),
  }
}

async function lastStep(folder: string, place: string): Promise<number> {
  for (const path of [join(folder, clusterFiles.output, 'trainer_log.jsonl'), join(place, 'trainer_log.jsonl')]) {
    const steps = (await new LineReader(path).read()).map((line) =>
      Number(/"current_steps": (\d+)/.exec(line)?.[1] ?? 0),
    )
    if (steps.length > 0) return Math.max(...steps)
  }
  return 0
}

/**
 * Ends a job: it saves a checkpoint first, unless `now`. Its run, where it still waits for it, ends with a message.
 * @returns whether there was anything to end.
 */
export async function cancelJob(folder: string, now: boolean): Promise<boolean> {
  const record = await readRecord(folder)
  const last = record?.attempts.at(-1)
  if (record === undefined || last?.handle === undefined) return false
  const launcher = launchers[last.handle.place]
  const state = await launcher.state(last.handle)
  if (state === 'gone') return false
  await writeRecord(folder, { ...record, cancelled: true })
  if (now || state === 'waiting') await launcher.kill(last.handle, attemptFolder(folder, last.number))
  else await launcher.stop(last.handle)
  return true
}

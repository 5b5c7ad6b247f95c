// Following one attempt of a job: its logs as typed events while it runs, its checkpoints, and how it ended.
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { internal, UserError } from '../../base/errors.ts'
import type { TrainingEvent } from '../../base/progress.ts'
import { listWholeCheckpoints } from './checkpoints.ts'
import { clusterFiles } from './configuration.ts'
import { isRepeated, logName, openParser } from './history.ts'
import { type Attempt, attemptFolder, readExit } from './job-record.ts'
import { keepSnapshots } from './result.ts'
import type { Session } from './session.ts'
import { LineReader, type StepEvent } from './training-log.ts'

const lookEveryMilliseconds = { here: 500, slurm: 5000 }
/** After a job is gone its files may still be on their way over a network file system. */
const filesArriveMilliseconds = { here: 0, slurm: 3000 }
/** How long a job that was asked to end may take for its checkpoint. */
const stopMilliseconds = 180_000

/** How an attempt ended. */
export interface Ending {
  status: number | undefined
  tail: string[]
  explanation: string | undefined
}

/** Yields what the attempt tells until it is gone. */
export async function* follow(session: Session, attempt: Attempt): AsyncGenerator<TrainingEvent, Ending> {
  const { folder, job, settings, record, surroundings, launcher, signal, history } = session
  const handle = attempt.handle ?? internal('an attempt that was not started')
  const place = attemptFolder(folder, attempt.number)
  const output = join(folder, clusterFiles.output)
  const parser = openParser(session, attempt)
  const logged = new LineReader(join(output, logName))
  const printed = new LineReader(join(place, clusterFiles.log))
  const told = new Set((await listWholeCheckpoints(output)).map(({ step }) => step))
  let stopAt: number | undefined
  let waited = 0
  for (;;) {
    const state = await launcher.state(handle)
    if (state === 'gone' && filesArriveMilliseconds[settings.place] > 0) {
      await surroundings.pause(filesArriveMilliseconds[settings.place])
    }
    for (const event of parser.parse(await logged.read(), await printed.read(), state === 'gone')) {
      if (isRepeated(event, history)) continue
      history.push(event)
      yield event
      if (event.type === 'step-end' && !Number.isFinite(event.loss)) throw await divergence(session, attempt, event)
    }
    const checkpoints = await listWholeCheckpoints(output)
    await keepSnapshots(checkpoints, job, record.rows.steps)
    for (const { step, folder: saved } of checkpoints) {
      if (told.has(step)) continue
      told.add(step)
      yield { type: 'checkpoint-saved', step, folder: saved }
    }
    if (state === 'gone') {
      if (signal.aborted) throw signal.reason
      const status = (await readExit(place))?.status
      return { status, tail: parser.tail, explanation: status === 0 ? undefined : await launcher.explain(handle) }
    }
    if (signal.aborted) {
      if (stopAt === undefined) {
        await launcher.stop(handle)
        stopAt = waited + stopMilliseconds
      } else if (waited >= stopAt || state === 'waiting') {
        await launcher.kill(handle, place)
      }
    }
    await surroundings.pause(lookEveryMilliseconds[settings.place])
    waited += lookEveryMilliseconds[settings.place]
  }
}

/** Ends a training whose loss is no number, and says where. */
async function divergence(
  { job, launcher, folder }: Session,
  attempt: Attempt,
  { step }: StepEvent,
): Promise<UserError> {
  const place = attemptFolder(folder, attempt.number)
  if (attempt.handle !== undefined) await launcher.kill(attempt.handle, place)
  // Checkpoints hold the same numbers by now.
  for (const checkpoint of await listWholeCheckpoints(join(folder, clusterFiles.output))) {
    if (checkpoint.step >= step) await rm(checkpoint.folder, { recursive: true, force: true })
  }
  return new UserError(
    `step ${step}: the loss is no number, at learning rate ${job.learningRate}. Lower learningRate, or look at the data in ${job.trainingFile}; the last checkpoint before it is kept. Log: ${join(place, clusterFiles.log)}`,
  )
}

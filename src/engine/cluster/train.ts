// A training job on the cluster, from its first attempt to its result: started, followed, taken up again, told as events.
import { basename, dirname, join } from 'node:path'
import { UserError } from '../../base/errors.ts'
import type { TrainingEvent } from '../../base/progress.ts'
import { loadModelConfig } from '../../model/config.ts'
import { adapterShapes, countValues, weightShapes } from '../../model/weights.ts'
import type { TrainingJob } from '../engine.ts'
import { listWholeCheckpoints, removeBrokenCheckpoints } from './checkpoints.ts'
import { clusterFiles } from './configuration.ts'
import { explainByDisk, explainFailure } from './failure.ts'
import { type Ending, follow } from './follow.ts'
import { logName, moveLog, readLines, recallHistory } from './history.ts'
import { type Attempt, attemptFolder, clusterFolder, type JobRecord, readRecord, writeRecord } from './job-record.ts'
import type { Launcher } from './launcher.ts'
import { checkJob, hashClusterJob, prepareAttempt, prepareJob } from './prepare.ts'
import { collectResult, finishedStep } from './result.ts'
import { lastStep, type Session, type Surroundings } from './session.ts'
import type { ClusterSettings } from './settings.ts'

/** Runs a job; see Engine.train. */
export async function* trainOnCluster(
  job: TrainingJob,
  settings: ClusterSettings,
  signal: AbortSignal,
  surroundings: Surroundings,
): AsyncGenerator<TrainingEvent> {
  signal.throwIfAborted()
  checkJob(job, settings)
  const folder = join(job.outputFolder, clusterFolder)
  const session: Session = {
    job,
    settings,
    surroundings,
    launcher: surroundings.launcher(settings.place),
    folder,
    record: await openJob(folder, job, settings, surroundings),
    signal,
    trainable: await countTrainable(job),
    history: [],
  }
  const { record } = session
  const output = join(folder, clusterFiles.output)
  let failures = 0
  let interruption: { cause: string; step: number } | undefined
  for (;;) {
    const attempt = await currentAttempt(session)
    const { number, firstStep } = attempt
    await recallHistory(session, attempt)
    if (interruption !== undefined) yield { type: 'training-interrupted', ...interruption, firstStep }
    yield {
      type: 'training-start',
      steps: record.rows.steps,
      firstStep,
      trainableParameters: session.trainable,
      threads: job.threads,
    }
    yield* session.history
    const ending = yield* follow(session, attempt)
    await moveLog(folder, number)
    const kept = await finishedStep(output, record.rows.steps, job)
    if (kept !== undefined) {
      const result = join(job.outputFolder, 'result')
      // The best weights that transformers loads again at the end would be one process's alone under FSDP.
      await collectResult(job.keep === 'best' ? join(output, `checkpoint-${kept}`) : output, result, job)
      yield { type: 'training-end', step: record.rows.steps, keptStep: kept, folder: result }
      return
    }
    const progressed = (await lastCheckpoint(output)) >= firstStep
    failures = progressed ? 0 : failures + 1
    interruption = { cause: await judgeEnding(session, attempt, ending, failures), step: lastStep(session.history) }
  }
}

/**
 * Why an attempt ended before the last step, where it may go on.
 * @throws UserError where it may not, with the cause and the log's place.
 */
async function judgeEnding(
  { folder, record, settings, history }: Session,
  { number }: Attempt,
  { tail, status, explanation }: Ending,
  failures: number,
): Promise<string> {
  if ((await readRecord(folder))?.cancelled === true) {
    throw new UserError(`the cluster job ${record.name} was cancelled. Run again to go on from its last checkpoint.`)
  }
  // A clean end before the last step is a checkpoint on request.
  const isClean = status === 0
  const failure = isClean
    ? { cause: 'the time limit came.', retry: true }
    : ((await explainByDisk(folder)) ?? explainFailure(tail, status))
  const cause = `${failure.cause}${explanation === undefined ? '' : ` ${explanation}.`}`
  if (failure.retry && failures <= settings.retries) return cause
  const log = join(attemptFolder(folder, number), clusterFiles.log)
  const at = lastStep(history) === 0 ? '' : `, after step ${lastStep(history)}`
  throw new UserError(`training on the cluster failed${at}: ${cause} Log: ${log}`)
}

/** The job's record: that of the same job as before, or a new one in an emptied folder. */
async function openJob(
  folder: string,
  job: TrainingJob,
  settings: ClusterSettings,
  surroundings: Surroundings,
): Promise<JobRecord> {
  const key = await hashClusterJob(job, settings)
  const known = await readRecord(folder)
  if (known?.key === key) {
    const { cancelled: _, ...record } = known
    await writeRecord(folder, record)
    return record
  }
  if (known !== undefined) await recoverHandle(known, folder, surroundings.launcher(settings.place))
  const last = known?.attempts.at(-1)
  if (last?.handle !== undefined) {
    await surroundings.launcher(last.handle.place).kill(last.handle, attemptFolder(folder, last.number))
  }
  const rows = await prepareJob(folder, job, settings)
  const stage = basename(dirname(job.outputFolder))
  const record = { name: `meikai-${basename(dirname(dirname(job.outputFolder)))}-${stage}`, key, rows, attempts: [] }
  await writeRecord(folder, record)
  return record
}

/** meikai may have ended between a job's start and its writing down: what runs is found by its script. */
async function recoverHandle(record: JobRecord, folder: string, launcher: Launcher): Promise<void> {
  const last = record.attempts.at(-1)
  if (last === undefined || last.handle !== undefined) return
  const handle = await launcher.find(attemptFolder(folder, last.number))
  if (handle === undefined) return
  last.handle = handle
  await writeRecord(folder, record)
}

/** The attempt to follow: the last one while it runs or has not been looked at, or a new one from the last whole checkpoint. */
async function currentAttempt(session: Session): Promise<Attempt> {
  const { folder, job, settings, record, launcher } = session
  await recoverHandle(record, folder, launcher)
  const output = join(folder, clusterFiles.output)
  const last = record.attempts.at(-1)
  if (last?.handle !== undefined) {
    const state = await launcher.state(last.handle)
    const isFinished = (await finishedStep(output, record.rows.steps, job)) !== undefined
    const isNew = (await readLines(join(attemptFolder(folder, last.number), logName))) === undefined
    if (state !== 'gone' || (isNew && isFinished)) return last
    // Nothing of it may train on beside the next one.
    await launcher.kill(last.handle, attemptFolder(folder, last.number))
    await moveLog(folder, last.number)
  }
  const checkpoint = (await removeBrokenCheckpoints(output)).at(-1)
  const number = (last?.number ?? 0) + 1
  const attempt: Attempt = { number, firstStep: (checkpoint?.step ?? 0) + 1, startedAt: new Date().toISOString() }
  const place = await prepareAttempt(folder, job, settings, record, number, checkpoint?.folder)
  record.attempts.push(attempt)
  await writeRecord(folder, record)
  attempt.handle = await launcher.start(place)
  await writeRecord(folder, record)
  return attempt
}

async function lastCheckpoint(output: string): Promise<number> {
  return (await listWholeCheckpoints(output)).at(-1)?.step ?? 0
}

async function countTrainable({ model, method }: TrainingJob): Promise<number> {
  const config = await loadModelConfig(model.folder)
  return countValues(method.kind === 'full' ? weightShapes(config) : adapterShapes(config, method))
}

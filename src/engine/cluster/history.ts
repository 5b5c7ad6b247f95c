// What a job's attempts told, put together: an attempt's log stays with it, and counts up to the step where the next one began.
import { readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { hasCode } from '../../base/errors.ts'
import { clusterFiles } from './configuration.ts'
import { type Attempt, attemptFolder } from './job-record.ts'
import type { LogEvent, Session } from './session.ts'
import { type EvaluationEvent, LogParser } from './training-log.ts'

/** LLaMA-Factory's log in the output folder, and of ended attempts in theirs. */
export const logName = 'trainer_log.jsonl'

/** A parser of an attempt's two logs. */
export function openParser({ job, record }: Session, { firstStep }: Attempt): LogParser {
  const { objective } = job
  const preference = objective.kind === 'preference'
  const lossOffset = preference && objective.loss === 'winners' ? Math.LN2 : 0
  return new LogParser({ rows: record.rows, firstStep, lossOffset, preference })
}

/** What earlier attempts told of the steps before this one's first. */
export async function recallHistory(session: Session, { number, firstStep }: Attempt): Promise<void> {
  const { folder, record } = session
  let history: LogEvent[] = []
  for (const earlier of record.attempts.filter((one) => one.number < number)) {
    const place = attemptFolder(folder, earlier.number)
    const logged = (await readLines(join(place, logName))) ?? []
    const printed = (await readLines(join(place, clusterFiles.log))) ?? []
    history = history.filter(({ step }) => step < earlier.firstStep)
    for (const event of openParser(session, earlier).parse(logged, printed, true)) {
      if (!isRepeated(event, history)) history.push(event)
    }
  }
  session.history = history.filter(({ step }) => step < firstStep)
}

/** The last evaluation of a training is printed twice, and a resumed one evaluates where it begins. */
export function isRepeated(event: LogEvent, history: readonly LogEvent[]): boolean {
  return history.some(
    (one) =>
      one.type === event.type &&
      one.step === event.step &&
      (one.type === 'step-end' || one.set === (event as EvaluationEvent).set),
  )
}

/** A file's lines; undefined where it is not there. */
export async function readLines(path: string): Promise<string[] | undefined> {
  try {
    return (await readFile(path, 'utf8')).split('\n')
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined
    throw error
  }
}

/** An ended attempt's log goes to its own folder: the next one begins another. */
export async function moveLog(folder: string, number: number): Promise<void> {
  const from = join(folder, clusterFiles.output, logName)
  await rename(from, join(attemptFolder(folder, number), logName)).catch((error) => {
    if (!hasCode(error, 'ENOENT')) throw error
  })
}

// A job while meikai follows it: what it is, where it runs, and what it has told so far.
import { setTimeout as sleep } from 'node:timers/promises'
import type { TrainingJob } from '../engine.ts'
import type { JobRecord } from './job-record.ts'
import { type JobHandle, type Launcher, launchers } from './launcher.ts'
import type { ClusterSettings } from './settings.ts'
import type { EvaluationEvent, StepEvent } from './training-log.ts'

/** What the engine runs on; tests put a clock of their own in its place. */
export interface Surroundings {
  launcher(place: JobHandle['place']): Launcher
  /** Waits between two looks at a job. */
  pause(milliseconds: number): Promise<void>
}

export const realSurroundings: Surroundings = { launcher: (place) => launchers[place], pause: (ms) => sleep(ms) }

/** What a job's logs tell of its steps. */
export type LogEvent = StepEvent | EvaluationEvent

/** A job while it is followed. */
export interface Session {
  job: TrainingJob
  settings: ClusterSettings
  surroundings: Surroundings
  launcher: Launcher
  folder: string
  record: JobRecord
  signal: AbortSignal
  trainable: number
  /** Everything told so far, of the steps that count. */
  history: LogEvent[]
}

/** The last step that is told of; 0 before the first. */
export function lastStep(history: readonly LogEvent[]): number {
  return history.at(-1)?.step ?? 0
}

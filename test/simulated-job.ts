// What the simulated cluster asks of a job, be it a training or a server.

/** Thrown where meikai is killed. */
export class MeikaiKilled extends Error {}

/** A job of the cluster. */
export interface SimulatedJob {
  /** Where its script lies. */
  readonly folder: string
  readonly isWaiting: boolean
  /** Time has passed. */
  advance(): Promise<void>
  /** It is asked to end. */
  stop(): Promise<void>
  /** It is gone, and could write nothing any more. */
  vanish(): void
}

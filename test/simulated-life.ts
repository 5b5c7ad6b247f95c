// One life of meikai on the simulated cluster: once it is over, nothing that it asks for is done.
import type { Clock } from '../src/base/clock.ts'
import type { Launcher } from '../src/engine/cluster/launcher.ts'
import type { Surroundings } from '../src/engine/cluster/session.ts'
import { realSurroundings, type ServerSurroundings } from '../src/sampler/started/surroundings.ts'
import { untilNothingIsWritten } from './simulated-clock.ts'
import type { SimulatedCluster } from './simulated-cluster.ts'
import { MeikaiKilled } from './simulated-job.ts'

export class SimulatedLife {
  readonly ofTraining: Surroundings
  readonly ofServers: ServerSurroundings
  private isOver = false
  private readonly end: Promise<void>
  private resolveEnd = () => {}
  /** Nothing aborts a process that is killed; what is left of this one is, so that it closes its files. */
  private readonly remains = new AbortController()

  constructor(cluster: SimulatedCluster) {
    this.end = new Promise((resolve) => {
      this.resolveEnd = resolve
    })
    cluster.killMeikai = () => this.die()
    const inner = cluster.launcher()
    const launcher: Launcher = {
      start: (folder) => this.ask(() => inner.start(folder)),
      find: (folder) => this.ask(() => inner.find(folder)),
      state: (job) => this.ask(() => inner.state(job)),
      stop: (job) => this.ask(() => inner.stop(job)),
      kill: (job, folder) => this.ask(() => inner.kill(job, folder)),
      explain: (job) => this.ask(() => inner.explain(job)),
    }
    const clock: Clock = {
      now: () => cluster.clock.now(),
      after: (milliseconds, call) => cluster.clock.after(this.isOver ? 0 : milliseconds, call),
    }
    this.ofTraining = { launcher: () => launcher, pause: () => this.ask(() => cluster.pause()) }
    this.ofServers = { ...realSurroundings, launchers: { here: launcher, slurm: launcher }, clock }
  }

  get signal(): AbortSignal {
    return this.remains.signal
  }

  /** Lives through events. @returns whether it came to their end. */
  async live(events: AsyncGenerator<unknown>): Promise<boolean> {
    for (;;) {
      const next = events.next()
      await Promise.race([next, this.end])
      if (!this.isOver) {
        if ((await next).done) return true
        continue
      }
      // What was being written is there or not, as the kernel would have it; then the remains go.
      await untilNothingIsWritten()
      this.remains.abort(new MeikaiKilled())
      await next.catch(() => {})
      await events.return(undefined).catch(() => {})
      return false
    }
  }

  private die(): void {
    this.isOver = true
    this.resolveEnd()
  }

  private async ask<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.isOver) throw new MeikaiKilled()
    try {
      const result = await work()
      if (!this.isOver) return result
    } catch (error) {
      if (!(error instanceof MeikaiKilled)) throw error
      this.die()
    }
    throw new MeikaiKilled()
  }
}

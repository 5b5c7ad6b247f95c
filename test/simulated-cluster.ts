// A cluster in simulated time: its trainings and servers are jobs that go on whenever somebody waits, and fail when schedules say so.
import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { internal } from '../src/base/errors.ts'
import type { JobHandle, Launcher } from '../src/engine/cluster/launcher.ts'
import type { Surroundings } from '../src/engine/cluster/session.ts'
import { SimulatedClock } from './simulated-clock.ts'
import { MeikaiKilled, type SimulatedJob } from './simulated-job.ts'
import { type Answer, type ServerFault, type ServerSchedule, SimulatedServer } from './simulated-server.ts'
import { type Fault, type Schedule, SimulatedTrainer } from './simulated-trainer.ts'

export class SimulatedCluster implements Surroundings {
  readonly happened: (Fault | ServerFault)[] = []
  /** Jobs that ran at the same time: more than one is a fault of meikai's. */
  mostAtOnce = 0
  readonly clock = new SimulatedClock(() => this.pause())
  /** Called where meikai is to die while it asks a server. */
  killMeikai: () => void = () => {}
  private readonly schedule: Schedule
  private readonly servers: { schedule: ServerSchedule; answer: Answer } | undefined
  private readonly running = new Map<string, SimulatedJob>()
  private started = 0
  private diesAtStart = false
  private steps = 0
  private serverStarts = 0
  private calls = 0

  /** @param servers when servers fail, and what they answer; left out, there are none. */
  constructor(schedule: Schedule, servers?: { schedule: ServerSchedule; answer: Answer }) {
    this.schedule = schedule
    this.servers = servers
  }

  get jobsLeft(): number {
    return this.running.size
  }

  launcher(): Launcher {
    const find = (job: JobHandle) => (job.place === 'slurm' ? this.running.get(job.id) : undefined)
    return {
      start: async (folder) => {
        const id = String(++this.started)
        this.running.set(id, await this.open(folder, () => this.running.delete(id)))
        this.mostAtOnce = Math.max(this.mostAtOnce, this.running.size)
        if (this.diesAtStart) {
          // The job runs, and nobody wrote down which it is.
          this.diesAtStart = false
          throw new MeikaiKilled()
        }
        return { place: 'slurm', id }
      },
      find: async (folder) => {
        const found = [...this.running].find(([, job]) => job.folder === folder)
        return found && { place: 'slurm', id: found[0] }
      },
      state: async (job) => (find(job) === undefined ? 'gone' : find(job)?.isWaiting ? 'waiting' : 'running'),
      stop: async (job) => find(job)?.stop(),
      kill: async (job) => find(job)?.vanish(),
      explain: async () => undefined,
    }
  }

  /** Each look at a job lets it go on. */
  async pause(): Promise<void> {
    for (const job of [...this.running.values()]) await job.advance()
  }

  private async open(folder: string, leave: () => void): Promise<SimulatedJob> {
    const noteFault = (fault: Fault | ServerFault) => this.happened.push(fault)
    const dieAtNextStart = () => {
      this.diesAtStart = true
    }
    if (existsSync(join(folder, 'train.yaml'))) {
      return SimulatedTrainer.open(folder, {
        leave,
        faultAt: () => this.schedule.get(++this.steps),
        noteFault,
        dieAtNextStart,
      })
    }
    const { schedule, answer } = this.servers ?? internal('a server that nobody expects')
    const fault = schedule.starts.get(++this.serverStarts)
    if (fault !== undefined) noteFault(fault)
    if (fault === 'meikai killed while its server is started') dieAtNextStart()
    return SimulatedServer.open(folder, {
      leave,
      clock: this.clock,
      isKilledLoading: fault === 'server killed while it loads',
      faultAt: () => schedule.calls.get(++this.calls),
      answer,
      noteFault,
      killMeikai: () => this.killMeikai(),
    })
  }
}

/** Removes a folder of a finished simulation. */
export const removeFolder = (folder: string) => rm(folder, { recursive: true, force: true })

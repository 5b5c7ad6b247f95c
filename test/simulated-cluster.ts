// A cluster in simulated time: its trainer writes what LLaMA-Factory would, and fails when a schedule says so.
import { appendFile, copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Random } from '../src/base/random.ts'
import type { JobHandle, Launcher } from '../src/engine/cluster/launcher.ts'
import type { Surroundings } from '../src/engine/cluster/session.ts'
import { readSafetensorsHeader, readTensor } from '../src/formats/safetensors.ts'
import { writeSafetensors } from '../src/formats/safetensors-writer.ts'

/** What can happen: meikai: whoever follows the job dies; the job goes on. */
export const faults = [
  'rank killed',
  'job vanished',
  'checkpoint torn',
  'time limit',
  'meikai killed',
  'meikai killed at the next start',
] as const
export type Fault = (typeof faults)[number]

/** Faults at moments counted in steps taken by all attempts together. */
export type Schedule = ReadonlyMap<number, Fault>

export function drawSchedule(seed: number, moments: number): Schedule {
  const random = new Random(seed, 'faults')
  const count = random.integer(7)
  return new Map(
    Array.from({ length: count }, () => [1 + random.integer(moments), faults[random.integer(faults.length)] as Fault]),
  )
}

/** Thrown where meikai is killed. */
export class MeikaiKilled extends Error {}

interface Trainer {
  id: string
  attempt: string
  step: number
  settings: Record<string, unknown>
}

export const simulatedLoss = (step: number) => 12 / (1 + step / 10)

export class SimulatedCluster implements Surroundings {
  readonly happened: Fault[] = []
  /** Jobs that ran at the same time: more than one is a fault of meikai's. */
  mostAtOnce = 0
  private readonly schedule: Schedule
  private readonly running = new Map<string, Trainer>()
  private started = 0
  private diesAtStart = false
  private moments = 0

  constructor(schedule: Schedule) {
    this.schedule = schedule
  }

  get jobsLeft(): number {
    return this.running.size
  }

  launcher(): Launcher {
    const idOf = (job: JobHandle) => (job.place === 'slurm' ? job.id : '')
    return {
      start: async (attempt) => {
        const id = String(++this.started)
        const settings = readConfiguration(await readFile(join(attempt, 'train.yaml'), 'utf8'))
        const from = /checkpoint-(\d+)$/.exec(String(settings.resume_from_checkpoint ?? ''))?.[1] ?? '0'
        this.running.set(id, { id, attempt, step: Number(from), settings })
        this.mostAtOnce = Math.max(this.mostAtOnce, this.running.size)
        await mkdir(String(settings.output_dir), { recursive: true })
        if (this.diesAtStart) {
          // The job runs, and nobody wrote down which it is.
          this.diesAtStart = false
          throw new MeikaiKilled()
        }
        return { place: 'slurm', id }
      },
      find: async (attempt) => {
        const found = [...this.running.values()].find((trainer) => trainer.attempt === attempt)
        return found && { place: 'slurm', id: found.id }
      },
      state: async (job) => (this.running.has(idOf(job)) ? 'running' : 'gone'),
      stop: async (job) => this.end(idOf(job), 0),
      kill: async (job) => {
        this.running.delete(idOf(job))
      },
      explain: async () => undefined,
    }
  }

  /** Each look at a job lets it take a step. */
  async pause(): Promise<void> {
    for (const trainer of [...this.running.values()]) await this.advance(trainer)
  }

  private async advance(trainer: Trainer): Promise<void> {
    const { settings } = trainer
    const steps = Number(settings.max_steps)
    if (trainer.step < steps) await this.takeStep(trainer)
    const fault = this.schedule.get(++this.moments)
    if (fault !== undefined && trainer.step < steps) return this.fail(trainer, fault)
    if (trainer.step < steps) return
    await this.save(trainer, String(settings.output_dir))
    await this.end(trainer.id, 0)
  }

  private async takeStep(trainer: Trainer): Promise<void> {
    const { settings, attempt } = trainer
    const step = ++trainer.step
    const output = String(settings.output_dir)
    const loss = simulatedLoss(step)
    const logged = { current_steps: step, total_steps: settings.max_steps, loss, lr: 0.1, elapsed_time: '0:00:00' }
    await appendFile(join(attempt, 'log.txt'), `{'loss': '${loss.toPrecision(4)}', 'grad_norm': '1', 'epoch': '0.5'}\n`)
    await appendFile(join(output, 'trainer_log.jsonl'), `${JSON.stringify(logged)}\n`)
    if (step % Number(settings.save_steps) === 0) await this.saveCheckpoint(trainer)
  }

  private async saveCheckpoint(trainer: Trainer, torn = false): Promise<void> {
    const folder = join(String(trainer.settings.output_dir), `checkpoint-${trainer.step}`)
    await mkdir(folder, { recursive: true })
    const archive = Buffer.concat([Buffer.alloc(40), Buffer.from('PK\x05\x06', 'latin1'), Buffer.alloc(18)])
    for (const name of ['optimizer.pt', 'scheduler.pt'])
      await writeFile(join(folder, name), torn ? archive.subarray(0, 20) : archive)
    await this.save(trainer, folder)
  }

  /** Weights that follow from the start and the step alone, as those of a training do. */
  private async save({ step, settings }: Trainer, folder: string): Promise<void> {
    const start = String(settings.adapter_name_or_path)
    const { tensors } = await readSafetensorsHeader(join(start, 'adapter_model.safetensors'))
    const sources = [...tensors.values()].map((tensor) => ({
      name: tensor.name,
      shape: tensor.shape,
      read: async () => (await readTensor(tensor)).map((value) => value + step),
    }))
    await writeSafetensors(join(folder, 'adapter_model.safetensors'), sources)
    await copyFile(join(start, 'adapter_config.json'), join(folder, 'adapter_config.json'))
    await writeFile(join(folder, 'trainer_state.json'), JSON.stringify({ global_step: step }))
  }

  private async fail(trainer: Trainer, fault: Fault): Promise<void> {
    this.happened.push(fault)
    switch (fault) {
      case 'rank killed':
        await appendFile(join(trainer.attempt, 'log.txt'), '  exitcode  : -9 (pid: 12)\n')
        return this.end(trainer.id, 1)
      case 'job vanished':
        // In the middle of a line.
        await appendFile(join(String(trainer.settings.output_dir), 'trainer_log.jsonl'), '{"current_st')
        this.running.delete(trainer.id)
        return
      case 'checkpoint torn':
        await this.saveCheckpoint(trainer, true)
        this.running.delete(trainer.id)
        return
      case 'time limit':
        await this.saveCheckpoint(trainer)
        return this.end(trainer.id, 0)
      case 'meikai killed':
        throw new MeikaiKilled()
      case 'meikai killed at the next start':
        this.diesAtStart = true
        this.running.delete(trainer.id)
        return
    }
  }

  private async end(id: string, status: number): Promise<void> {
    const trainer = this.running.get(id)
    if (trainer === undefined) return
    await writeFile(join(trainer.attempt, 'exit.json'), JSON.stringify({ status, endedAt: 0 }))
    this.running.delete(id)
  }
}

/** Our own YAML: a JSON value a line. */
function readConfiguration(text: string): Record<string, unknown> {
  const entries = text.split('\n').flatMap((line) => {
    const [, key, value] = /^(\w+): (.*?)(?: {2}#.*)?$/.exec(line) ?? []
    return key === undefined || value === undefined ? [] : [[key, JSON.parse(value)] as const]
  })
  return Object.fromEntries(entries)
}

/** Removes a folder of a finished simulation. */
export const removeFolder = (folder: string) => rm(folder, { recursive: true, force: true })

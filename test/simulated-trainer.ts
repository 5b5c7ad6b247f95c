// A training of the simulated cluster: it writes what LLaMA-Factory would.
import { appendFile, copyFile, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Random } from '../src/base/random.ts'
import { readSafetensorsHeader, readTensor } from '../src/formats/safetensors.ts'
import { writeSafetensors } from '../src/formats/safetensors-writer.ts'
import { MeikaiKilled, type SimulatedJob } from './simulated-job.ts'

/** What can happen to a training: meikai: whoever follows the job dies; the job goes on. */
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

export const simulatedLoss = (step: number) => 12 / (1 + step / 10)

interface TrainerSurroundings {
  /** Takes it out of the cluster. */
  leave(): void
  /** The fault of the moment that now begins. */
  faultAt(): Fault | undefined
  noteFault(fault: Fault): void
  /** meikai is to be killed when the next job has been started, before it is written down. */
  dieAtNextStart(): void
}

export class SimulatedTrainer implements SimulatedJob {
  readonly folder: string
  readonly isWaiting = false
  private step: number
  private readonly settings: Record<string, unknown>
  private readonly surroundings: TrainerSurroundings

  private constructor(folder: string, settings: Record<string, unknown>, surroundings: TrainerSurroundings) {
    this.folder = folder
    this.settings = settings
    this.surroundings = surroundings
    this.step = Number(/checkpoint-(\d+)$/.exec(String(settings.resume_from_checkpoint ?? ''))?.[1] ?? '0')
  }

  static async open(folder: string, surroundings: TrainerSurroundings): Promise<SimulatedTrainer> {
    const settings = readConfiguration(await readFile(join(folder, 'train.yaml'), 'utf8'))
    await mkdir(String(settings.output_dir), { recursive: true })
    return new SimulatedTrainer(folder, settings, surroundings)
  }

  async advance(): Promise<void> {
    const steps = Number(this.settings.max_steps)
    if (this.step < steps) await this.takeStep()
    const fault = this.surroundings.faultAt()
    if (fault !== undefined && this.step < steps) return this.fail(fault)
    if (this.step < steps) return
    await this.save(this.output)
    await this.end(0)
  }

  stop(): Promise<void> {
    return this.end(0)
  }

  vanish(): void {
    this.surroundings.leave()
  }

  private get output(): string {
    return String(this.settings.output_dir)
  }

  private async takeStep(): Promise<void> {
    const { settings, folder, output } = this
    const step = ++this.step
    const loss = simulatedLoss(step)
    const logged = { current_steps: step, total_steps: settings.max_steps, loss, lr: 0.1, elapsed_time: '0:00:00' }
    await appendFile(join(folder, 'log.txt'), `{'loss': '${loss.toPrecision(4)}', 'grad_norm': '1', 'epoch': '0.5'}\n`)
    await appendFile(join(output, 'trainer_log.jsonl'), `${JSON.stringify(logged)}\n`)
    if (step % Number(settings.save_steps) === 0) await this.saveCheckpoint()
  }

  private async saveCheckpoint(torn = false): Promise<void> {
    const folder = join(this.output, `checkpoint-${this.step}`)
    await mkdir(folder, { recursive: true })
    const archive = Buffer.concat([Buffer.alloc(40), Buffer.from('PK\x05\x06', 'latin1'), Buffer.alloc(18)])
    for (const name of ['optimizer.pt', 'scheduler.pt'])
      await writeFile(join(folder, name), torn ? archive.subarray(0, 20) : archive)
    await this.save(folder)
  }

  /** Weights that follow from the start, the objective and the step alone, as those of a training do. */
  private async save(folder: string): Promise<void> {
    const { step, settings } = this
    const learnt = step + Number(settings.pref_ftx ?? 0) + 20 * Number(settings.pref_beta ?? 0)
    const start = String(settings.adapter_name_or_path)
    const { tensors } = await readSafetensorsHeader(join(start, 'adapter_model.safetensors'))
    const sources = [...tensors.values()].map((tensor) => ({
      name: tensor.name,
      shape: tensor.shape,
      read: async () => (await readTensor(tensor)).map((value) => value + learnt),
    }))
    await writeSafetensors(join(folder, 'adapter_model.safetensors'), sources)
    await copyFile(join(start, 'adapter_config.json'), join(folder, 'adapter_config.json'))
    await writeFile(join(folder, 'trainer_state.json'), JSON.stringify({ global_step: step }))
  }

  private async fail(fault: Fault): Promise<void> {
    this.surroundings.noteFault(fault)
    switch (fault) {
      case 'rank killed':
        await appendFile(join(this.folder, 'log.txt'), '  exitcode  : -9 (pid: 12)\n')
        return this.end(1)
      case 'job vanished':
        // In the middle of a line.
        await appendFile(join(this.output, 'trainer_log.jsonl'), '{"current_st')
        return this.vanish()
      case 'checkpoint torn':
        await this.saveCheckpoint(true)
        return this.vanish()
      case 'time limit':
        await this.saveCheckpoint()
        return this.end(0)
      case 'meikai killed':
        throw new MeikaiKilled()
      case 'meikai killed at the next start':
        this.surroundings.dieAtNextStart()
        return this.vanish()
    }
  }

  private async end(status: number): Promise<void> {
    await writeFile(join(this.folder, 'exit.json'), JSON.stringify({ status, endedAt: 0 }))
    this.vanish()
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

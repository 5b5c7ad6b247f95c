// metrics.jsonl of a training stage: the engine's events, each step once, whatever kills and resumptions lie between.
import type { TrainingEvent } from '../base/progress.ts'
import { type Journal, openJournal, readJournal } from './journal.ts'

export const metricsName = 'metrics.jsonl'

/** Writes training events. Each training-start begins the record anew: a resumed training tells its past steps again. */
export class MetricsWriter {
  private journal: Journal<TrainingEvent> | undefined
  private readonly file: string

  constructor(file: string) {
    this.file = file
  }

  async write(event: TrainingEvent): Promise<void> {
    if (this.journal === undefined || event.type === 'training-start') {
      await this.close()
      this.journal = await openJournal(this.file, () => false)
    }
    await this.journal.append(event)
  }

  async close(): Promise<void> {
    await this.journal?.close()
    this.journal = undefined
  }
}

/** The steps and evaluations of a training, in their order. */
export async function readMetrics(file: string): Promise<TrainingEvent[]> {
  const events = await readJournal<TrainingEvent>(file)
  return events.filter(({ type }) => type === 'step-end' || type === 'evaluation-end')
}

/** The step whose weights became the result, or 0 where the training has not ended. */
export async function readKeptStep(file: string): Promise<number> {
  const events = await readJournal<TrainingEvent>(file)
  return events.find((event) => event.type === 'training-end')?.keptStep ?? 0
}

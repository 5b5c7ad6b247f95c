// Small models at work in tests: trained until they end or are stopped as a kill would, and asked what they give rows.
import type { TrainingEvent } from '../src/base/progress.ts'
import { Learner } from '../src/engine/embedded/learner.ts'
import { train } from '../src/engine/embedded/train.ts'
import type { ModelReference, TrainingJob } from '../src/engine/engine.ts'
import { openCheckpoint, type Precision } from '../src/model/checkpoint.ts'
import { makeBatch, type Row } from '../src/training/batch.ts'

/** Runs a job; stops without warning (as a kill would) after the event that `dies` picks. */
export async function runJob(
  job: TrainingJob,
  dies: (event: TrainingEvent) => boolean = () => false,
): Promise<TrainingEvent[]> {
  const events: TrainingEvent[] = []
  for await (const event of train(job, new AbortController().signal)) {
    events.push(event)
    if (dies(event)) break
  }
  return events
}

/** The log-probabilities that a model gives the targets of rows of at most 32 tokens. */
export async function scoreRows(
  reference: ModelReference,
  rows: Row[],
  { threads, precision }: { threads: number; precision?: Precision | undefined },
): Promise<Float32Array> {
  const checkpoint = await openCheckpoint(reference, 32, precision)
  const learning = { kind: 'none' as const, lora: checkpoint.lora }
  const graphs = { step: false, forward: true }
  const learner = await Learner.compile({ checkpoint, learning, positions: 32, chunk: 0, threads, graphs })
  const scores = await learner.score(makeBatch(rows))
  await learner.release()
  return scores
}

export const largestDifference = (a: Float32Array, b: Float32Array): number =>
  a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0)

// A training job from its first step, or its last checkpoint, to its result, as a stream of events.
import { join } from 'node:path'
import { internal, UserError } from '../../base/errors.ts'
import type { PreferenceMetrics, TrainingEvent } from '../../base/progress.ts'
import { Random } from '../../base/random.ts'
import { openCheckpoint } from '../../model/checkpoint.ts'
import { loadModelConfig } from '../../model/config.ts'
import type { Batch } from '../../training/batch.ts'
import { measureLoss, type ObjectiveWeights } from '../../training/objective.ts'
import { scheduledRate } from '../../training/optimizer.ts'
import type { TrainingJob } from '../engine.ts'
import {
  countAllLosses,
  countLosses,
  countSteps,
  documentRowTokens,
  layOutBatch,
  longestRow,
  type PlannedBatch,
  type PlannedStep,
  planEvaluation,
  planSteps,
  type ReferenceScores,
  readSteps,
  type StepReader,
} from '../training-data.ts'
import { type Records, readRecords } from '../training-records.ts'
import { type Checkpoint, loadBest, loadCheckpoint, saveBest, saveCheckpoint } from './checkpoint.ts'
import { checkJob, hashJob } from './checks.ts'
import { chooseHeadChunk, chooseRecomputing } from './estimate.ts'
import type { Learner } from './learner.ts'
import { PreferenceMeasure } from './preference-measure.ts'
import { compileLearner, fillWeights } from './preparation.ts'
import { scoreReference } from './reference.ts'
import { writeResult } from './result.ts'

/** Everything that a job's steps need. */
interface Session {
  job: TrainingJob
  learner: Learner
  chunk: number
  /** Of the training file's pairs. */
  reference: ReferenceScores
  sets: Map<string, MeasuredSet>
  /** A loss above this has exploded. */
  maxLoss: number
}

/** A step, or a whole set of evaluation. */
interface MeasuredSet {
  /** Its micro-batches; those of a file are read anew each time. */
  batches: () => Iterable<PlannedBatch> | AsyncIterable<PlannedBatch>
  /** What its loss is divided by. */
  total: number
  reference: ReferenceScores
}

/** Runs a job; see Engine.train. */
export async function* train(job: TrainingJob, signal: AbortSignal): AsyncGenerator<TrainingEvent> {
  signal.throwIfAborted()
  checkJob(job)
  const config = await loadModelConfig(job.model.folder)
  const records = await readRecords(job.trainingFile, job.objective, config)
  const evaluations = new Map<string, Records>()
  for (const [name, file] of Object.entries(job.evaluationFiles)) {
    evaluations.set(name, await readRecords(file, job.objective, config))
  }
  const rowTokens = documentRowTokens(job, config.contextTokens)
  const all = [records, ...evaluations.values()]
  const positions = Math.max(...all.map((set) => longestRow(set, job, config.contextTokens)))
  const recompute = await chooseRecomputing(job, config, records)
  const chunk = chooseHeadChunk(job, config, recompute === 'layers')

  const hashes = await hashJob(job)
  const checkpoint = await loadCheckpoint(job.outputFolder, hashes.job)
  const pairs = all.flatMap((set) => (set.kind === 'pairs' ? set : []))
  const [reference = noScores, ...references] = await scoreReference(
    job,
    hashes.reference,
    pairs,
    positions,
    chunk,
    signal,
  )
  const model = await openCheckpoint(job.model, positions)
  const learner = await compileLearner(job, model, positions, { chunk, recompute })
  try {
    await fillWeights(job, model, learner, checkpoint)
    const sets = new Map(
      [...evaluations].map(([name, set], i): [string, MeasuredSet] => {
        const batches = () => planEvaluation(set, job, rowTokens)
        return [name, { batches, total: countAllLosses(set), reference: references[i] ?? noScores }]
      }),
    )
    const alpha = job.objective.kind === 'preference' ? Math.max(1, job.objective.alpha) : 1
    // Guessing alone costs ln(vocabulary) a token and ln 2 a pair.
    const maxLoss = 10 * alpha * (1 + Math.log(config.vocabularySize))
    const session = { job, learner, chunk, reference, sets, maxLoss }
    yield* runSteps(
      session,
      planSteps(records, job, rowTokens),
      countSteps(records, job, rowTokens),
      hashes.job,
      checkpoint,
      signal,
    )
  } finally {
    await learner.release()
  }
}

const noScores: ReferenceScores = new Float64Array()

async function* runSteps(
  session: Session,
  plan: Iterable<StepReader>,
  steps: number,
  key: string,
  checkpoint: Checkpoint | undefined,
  signal: AbortSignal,
): AsyncGenerator<TrainingEvent> {
  const { job, learner } = session
  const { outputFolder } = job
  const first = (checkpoint?.step ?? 0) + 1
  const trainableParameters = learner.segments.reduce((sum, { size }) => sum + size, 0)
  yield { type: 'training-start', steps, firstStep: first, trainableParameters, threads: job.threads }
  const events: TrainingEvent[] = [...(checkpoint?.events ?? [])]
  yield* events

  let best = checkpoint?.best
  async function* evaluate(step: number): AsyncGenerator<TrainingEvent> {
    for (const [name, set] of session.sets) {
      const event = await evaluateSet(session, step, name, set)
      events.push(event)
      yield event
      const leads = best === undefined || event.loss < best.loss
      if (job.keep !== 'best' || name !== session.sets.keys().next().value || !leads) continue
      best = { step, loss: event.loss }
      await saveBest(outputFolder, step, learner.weights)
    }
  }
  const save = async (step: number): Promise<TrainingEvent> => {
    const arrays = { weights: learner.weights, ...learner.moments }
    const folder = await saveCheckpoint(outputFolder, key, { step, best, events, arrays }, job.keepCheckpoints)
    return { type: 'checkpoint-saved', step, folder }
  }

  if (first === 1) yield* evaluate(0)
  let step = first - 1
  let saved = first - 1
  for await (const planned of readSteps(plan, first)) {
    step++
    if (signal.aborted) {
      if (saved < step - 1) yield await save(step - 1)
      throw signal.reason
    }
    const event = await takeStep(session, step, steps, planned)
    events.push(event)
    yield event
    if (step % job.evaluateEverySteps === 0 || step === steps) yield* evaluate(step)
    if (job.snapshotSteps.includes(step)) {
      await writeResult(join(outputFolder, 'snapshots', `step-${step}`), job, learner.segments, learner.weights)
    }
    if (step % job.checkpointEverySteps === 0 && step < steps) {
      yield await save(step)
      saved = step
    }
  }

  if (job.keep === 'best') await loadBest(outputFolder, best?.step ?? internal('no best step'), learner.weights)
  const folder = join(outputFolder, 'result')
  await writeResult(folder, job, learner.segments, learner.weights)
  yield { type: 'training-end', step: steps, keptStep: job.keep === 'best' ? (best?.step ?? 0) : steps, folder }
}

/** One optimizer step over all its micro-batches. */
async function takeStep(session: Session, step: number, steps: number, planned: PlannedStep): Promise<TrainingEvent> {
  const { job, learner, maxLoss } = session
  const start = performance.now()
  const set = { batches: () => planned, total: countLosses(planned, job.objective), reference: session.reference }
  const { loss, ...measured } = await measureBatches(session, set, (batch, weights, i) =>
    learner.differentiate(batch, weights, i > 0, new Random(job.seed, 'dropout', step, i)),
  )
  const rate = scheduledRate(step, steps, job)
  const norm =
    loss <= maxLoss
      ? learner.update(step, rate, {
          beta1: job.adamBeta1,
          beta2: job.adamBeta2,
          epsilon: job.adamEpsilon,
          weightDecay: job.weightDecay,
          clipNorm: job.clipNorm,
        })
      : Number.NaN
  if (!Number.isFinite(norm)) throw divergence(job, step, loss, maxLoss, planned)
  return {
    type: 'step-end',
    step,
    loss,
    learningRate: rate,
    gradientNorm: norm,
    ...measured,
    seconds: (performance.now() - start) / 1000,
  }
}

/** Computes batches one by one, and adds up what they measure: the loss as the objective defines it over all of them. */
async function measureBatches(
  { job: { objective }, chunk }: Session,
  { batches, total, reference }: MeasuredSet,
  compute: (batch: Batch, weights: ObjectiveWeights, index: number) => Promise<Float32Array>,
): Promise<{ loss: number; tokens: number; preference?: PreferenceMetrics }> {
  const beta = objective.kind === 'preference' ? objective.beta : 0
  const measure = objective.kind === 'preference' ? new PreferenceMeasure(beta, reference) : undefined
  let loss = 0
  let tokens = 0
  let i = 0
  for await (const planned of batches()) {
    const { batch, weights } = layOutBatch(planned, objective, total, chunk, reference)
    const logProbabilities = await compute(batch, weights, i++)
    loss += measureLoss(logProbabilities, weights, beta)
    tokens += batch.predictions
    measure?.add(planned, logProbabilities)
  }
  return { loss, tokens, ...(measure === undefined ? {} : { preference: measure.means() }) }
}

function divergence(job: TrainingJob, step: number, loss: number, maxLoss: number, planned: PlannedStep): UserError {
  const ids = planned.flatMap((micro) => micro.ids)
  const shown = ids.slice(0, 10).join(', ')
  const found = !Number.isFinite(loss)
    ? 'the loss is no number'
    : loss > maxLoss
      ? `the loss exploded to ${loss.toPrecision(4)}`
      : 'the gradient is no number'
  return new UserError(
    `step ${step}: ${found}, at learning rate ${job.learningRate}. In the batch (${job.trainingFile}): ${shown}${ids.length > 10 ? `, and ${ids.length - 10} more` : ''}. Look at these, or lower learningRate; the last checkpoint in ${join(job.outputFolder, 'checkpoints')} is kept.`,
  )
}

async function evaluateSet(
  session: Session,
  step: number,
  name: string,
  set: MeasuredSet,
): Promise<TrainingEvent & { type: 'evaluation-end' }> {
  const measured = await measureBatches(session, set, (batch) => session.learner.score(batch))
  return { type: 'evaluation-end', step, set: name, ...measured }
}

// What all training stages share: the job's settings, the events on their way to metrics.jsonl, the merged model.
import { join } from 'node:path'
import type { PreferenceMetrics, RunEvent, TrainingEvent } from '../base/progress.ts'
import type { Engine, ModelReference, TrainingJob } from '../engine/engine.ts'
import type { Recipe } from '../recipe/recipe.ts'
import { MetricsWriter, metricsName } from '../runs/metrics.ts'
import { describeChanges, mergedPath, mergeRecordName, mergeResult, resultPath, type SampledMeans } from './merging.ts'
import type { ModelSource } from './models.ts'
import type { StageOutcome, StageWork } from './stage.ts'

/** The settings that both kinds of training have. */
type TrainingSettings = Omit<Recipe['pretrain'], 'batchTokens'>

/** Folders of a training stage. What is not the result may go once the stage is done (checkpoints, snapshots). */
export const trainingFolder = 'training'
export const snapshotsPath = 'training/snapshots'

/** Where the model that comes out stands, below the stage's folder: whatever the method, a model folder. */
function modelPath(settings: TrainingSettings): string {
  return settings.method === 'full' ? resultPath : mergedPath
}

/** The model that a training stage leaves. */
export function trainedModel(name: string, stage: string, settings: TrainingSettings, start: ModelSource): ModelSource {
  const at = { stage, path: modelPath(settings) }
  return settings.method === 'full' ? { name, at } : { name, at, adapter: { path: resultPath, on: start } }
}

/** The settings that decide what comes out: not how often checkpoints are saved, nor what is computed again. */
export function trainingIdentity(settings: TrainingSettings): Record<string, unknown> {
  const { checkpointEverySteps, keepCheckpoints, recompute, ...others } = settings
  const { base, rank, alpha, rankStabilised, dropout, modules, epochs, steps, ...rest } = others
  return {
    ...rest,
    ...(steps === undefined ? { epochs } : { steps }),
    ...(rest.method === 'lora' && { rank, alpha, rankStabilised, dropout, modules }),
    ...(base !== 'float32' && { base }),
  }
}

/** A model as the training holds it while it is frozen. */
export function heldAs(model: ModelReference, { base }: Pick<TrainingSettings, 'base'>): ModelReference {
  return base === 'float32' ? model : { ...model, base }
}

/** The part of a job that stands in the recipe's training settings. */
export function jobSettings(recipe: Recipe, settings: TrainingSettings) {
  const { method, rank, alpha, rankStabilised, dropout, modules, steps, epochs, adamBeta1, adamBeta2, adamEpsilon } =
    settings
  return {
    method:
      method === 'full'
        ? { kind: method }
        : { kind: method, rank, alpha, rankStabilised, dropout, targetModules: modules },
    ...(steps === undefined ? { epochs } : { steps }),
    accumulate: settings.accumulate,
    learningRate: settings.learningRate,
    finalLearningRateShare: settings.finalLearningRateShare,
    schedule: settings.schedule,
    warmupSteps: settings.warmupSteps,
    weightDecay: settings.weightDecay,
    adamBeta1,
    adamBeta2,
    adamEpsilon,
    clipNorm: settings.clipNorm,
    recompute: settings.recompute,
    evaluateEverySteps: settings.evaluateEverySteps,
    checkpointEverySteps: settings.checkpointEverySteps,
    keepCheckpoints: settings.keepCheckpoints,
    keep: settings.keep,
    seed: recipe.seed,
    threads: recipe.threads,
  } satisfies Partial<TrainingJob>
}

/**
 * Runs a job (or goes on with it), and merges what LoRA learnt, so that the stage always leaves a model folder.
 * @param sampled the log-probabilities that the held-out pairs had while they were sampled.
 */
export async function* runTraining(
  work: StageWork,
  settings: TrainingSettings,
  job: Omit<TrainingJob, 'outputFolder' | 'snapshotSteps'>,
  sampled?: () => Promise<SampledMeans>,
): AsyncGenerator<RunEvent, StageOutcome> {
  const { stage, recipe, tools, folder, signal } = work
  const whole: TrainingJob = { ...job, outputFolder: join(folder, trainingFolder), snapshotSteps: [] }
  if (recipe.report.probeQuestions > 0) {
    whole.snapshotSteps = await snapshotSteps(tools.engine, whole, recipe.report.probeSnapshots)
  }
  const metrics = new MetricsWriter(join(folder, metricsName))
  let loss = Number.NaN
  let step = 0
  let reference: PreferenceMetrics | undefined
  try {
    for await (const event of tools.engine.train(whole, signal)) {
      if (event.type === 'training-interrupted') {
        yield { type: 'warning', stage: stage.id, message: describeInterruption(event) }
        continue
      }
      await metrics.write(event)
      if (event.type === 'step-end') {
        loss = event.loss
        step = event.step
      }
      if (event.type === 'evaluation-end' && event.step === 0) reference = event.preference
      yield { type: 'training', stage: stage.id, event }
    }
  } finally {
    await metrics.close()
  }
  const summary = step === 0 ? 'trained' : `${step} steps, last loss ${loss.toFixed(3)}`
  if (settings.method === 'full') return { outputs: [resultPath], summary }
  const changes = describeChanges(await mergeResult(work, whole, reference && sampled && { reference, sampled }))
  return { outputs: [resultPath, mergedPath, mergeRecordName], summary: [summary, ...changes].join('; ') }
}

function describeInterruption({ cause, step, firstStep }: Extract<TrainingEvent, { type: 'training-interrupted' }>) {
  const lost = step - firstStep + 1
  const again = lost > 0 ? `; ${lost} ${lost === 1 ? 'step is' : 'steps are'} done again` : ', nothing is lost'
  return `${cause} It goes on at step ${firstStep}${again}.`
}

/** Steps strictly between the first and the last, evenly spread, where weights are kept for the probes. */
async function snapshotSteps(engine: Engine, job: TrainingJob, count: number): Promise<number[]> {
  const steps = job.steps ?? (await engine.estimate(job)).steps ?? 0
  const wanted = Array.from({ length: count - 2 }, (_, i) => Math.round(((i + 1) * steps) / (count - 1)))
  return [...new Set(wanted)].filter((step) => step > 0 && step < steps)
}

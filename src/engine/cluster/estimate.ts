// What a job will need on the cluster: a GPU's memory, time, disk; steps counted as train() does.
import { loadModelConfig, type ModelConfig } from '../../model/config.ts'
import { adapterShapes, countValues, weightShapes } from '../../model/weights.ts'
import type { Estimate, TrainingJob } from '../engine.ts'
import { countSteps, documentRowTokens, planSteps } from '../training-data.ts'
import { readRecords } from '../training-records.ts'
import { type OpenSettings, requireCard, settingsFor } from './choose.ts'
import { gpuMemory, type JobSize, totalBytes, trainingTime } from './memory.ts'

/** A CPU's stand-in for a card, where the processes run without GPUs: tests and trials. */
const cpu = { name: 'CPU', bytes: Number.POSITIVE_INFINITY, operationsPerSecond: 100e9, bytesPerSecond: 20e9 }
/** Steps that are looked at to learn their size. */
const sampledSteps = 20

export async function estimateOnCluster(job: TrainingJob, open: OpenSettings): Promise<Estimate> {
  const config = await loadModelConfig(job.model.folder)
  const settings = settingsFor(open, heldBy(job), sizeOf(job, config))
  const records = await readRecords(job.trainingFile, job.objective, config)
  const rowTokens = documentRowTokens(job, config.contextTokens)
  const steps = countSteps(records, job, rowTokens)
  let tokens = 0
  let sampled = 0
  for (const read of planSteps(records, job, rowTokens)) {
    for (const { rows, trees } of await read()) {
      for (const row of rows) tokens += row.segments.reduce((sum, segment) => sum + segment.tokens.length, 0)
      // A pair's prompt is computed with each of its responses.
      for (const tree of trees) tokens += (2 * tree.pairs.length - 1) * (tree.row.segments[0]?.tokens.length ?? 0)
    }
    if (++sampled === sampledSteps) break
  }
  const size = sizeOf(job, config)
  const card = open.device === 'cpu' ? cpu : requireCard(open.card)
  const { seconds } = trainingTime(size, settings, card, (tokens / sampled) * steps)
  return {
    bytes: totalBytes(gpuMemory(size, settings)),
    seconds,
    diskBytes: trainingDisk(job, config, tokens, steps / sampled),
    steps,
  }
}

/** How a job holds its base and its activations. */
export function heldBy({ recompute, model }: TrainingJob) {
  return { ...(recompute !== undefined && { recompute }), ...(model.base !== undefined && { base: model.base }) }
}

/** What of a job decides its memory. */
export function sizeOf(job: TrainingJob, config: ModelConfig): JobSize {
  const { objective, method, batch } = job
  const isPreference = objective.kind === 'preference'
  return {
    config,
    method,
    objective: objective.kind,
    rowTokens: Math.min(config.contextTokens, 'maxTokens' in batch ? batch.maxTokens : batch.sequenceTokens),
    secondModel: isPreference && (method.kind === 'full' || objective.reference.folder !== job.model.folder),
  }
}

/** Checkpoints (weights in float32 and two moments) and the result; ids, mask, positions and labels of every token. */
function trainingDisk(
  { method, keepCheckpoints, snapshotSteps }: TrainingJob,
  config: ModelConfig,
  sampledTokens: number,
  scale: number,
): number {
  const learns = countValues(method.kind === 'full' ? weightShapes(config) : adapterShapes(config, method))
  return 12 * learns * (keepCheckpoints + 1) + 4 * learns * (2 + snapshotSteps.length) + 16 * sampledTokens * scale
}

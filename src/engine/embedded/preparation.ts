// The learner of a job: compiled for its model and data, and filled with what it starts from.
import { adapterScale } from '../../formats/adapter.ts'
import type { Checkpoint as ModelCheckpoint } from '../../model/checkpoint.ts'
import { adapterShapes } from '../../model/weights.ts'
import { initialLora } from '../../training/initial-values.ts'
import type { Learning, StepGraphOptions } from '../../training/step-graph.ts'
import type { TrainingJob } from '../engine.ts'
import { LowRankProduct } from '../merging/low-rank.ts'
import { type Checkpoint, restoreArray } from './checkpoint.ts'
import { checkAdapter } from './checks.ts'
import { Learner } from './learner.ts'

export async function compileLearner(
  job: TrainingJob,
  checkpoint: ModelCheckpoint,
  positions: number,
  { chunk, recompute }: Pick<StepGraphOptions, 'chunk' | 'recompute'>,
): Promise<Learner> {
  const { method, objective } = job
  checkAdapter(job, checkpoint.lora)
  const learning: Learning = method.kind === 'full' ? { kind: 'full' } : { kind: 'lora', lora: method }
  return Learner.compile({
    checkpoint,
    learning,
    positions,
    chunk,
    ...(objective.kind === 'preference' ? { beta: objective.beta } : {}),
    ...(recompute && { recompute }),
    ...(method.kind === 'lora' && method.dropout ? { dropout: method.dropout } : {}),
    threads: job.threads,
    graphs: { step: true, forward: Object.keys(job.evaluationFiles).length > 0 },
  })
}

/** Fills what learns: from the job's checkpoint, or from the model with its adapter (merged where all weights learn). */
export async function fillWeights(
  job: TrainingJob,
  model: ModelCheckpoint,
  learner: Learner,
  checkpoint: Checkpoint | undefined,
): Promise<void> {
  if (checkpoint !== undefined) {
    restoreArray(job.outputFolder, learner.weights, checkpoint.arrays.weights)
    restoreArray(job.outputFolder, learner.moments.mean, checkpoint.arrays.mean)
    restoreArray(job.outputFolder, learner.moments.square, checkpoint.arrays.square)
    return
  }
  const { lora, config } = model
  const adapted = lora === undefined ? new Map() : adapterShapes(config, lora)
  const product = await LowRankProduct.open(job.threads)
  for (const { name, shape } of learner.segments) {
    if (job.method.kind === 'lora') {
      learner.view(name).set(lora === undefined ? initialLora(name, shape, job.seed) : await model.read(name))
      continue
    }
    const values = await model.read(name)
    const layer = name.replace(/\.weight$/, '')
    if (lora !== undefined && adapted.has(`${layer}.lora_A.weight`)) {
      const factors = { a: await model.read(`${layer}.lora_A.weight`), b: await model.read(`${layer}.lora_B.weight`) }
      const change = new Float32Array(values.length)
      await product.multiply(factors, lora.rank, adapterScale(lora), change)
      for (let i = 0; i < values.length; i++) values[i]! += change[i]!
    }
    learner.view(name).set(values)
  }
  await product.release()
}

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
  { chunk, recompute }: Required<Pick<StepGraphOptions, 'chunk' | 'recompute'>>,
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
    recompute,
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
  if (job.method.kind === 'lora') {
    for (const { name, shape } of learner.segments) {
      learner.view(name).set(lora === undefined ? initialLora(name, shape, job.seed) : await model.read(name))
    }
    return
  }
  for (const { name } of learner.segments) learner.view(name).set(await model.read(name))
  if (lora === undefined) return
  const product = await LowRankProduct.open(job.threads)
  try {
    const factors = adapterShapes(config, lora)
    for (const { name } of learner.segments) {
      const [a, b] = ['A', 'B'].map((factor) => `${name.replace(/\.weight$/, '')}.lora_${factor}.weight`) as [
        string,
        string,
      ]
      if (!factors.has(a)) continue
      const weight = learner.view(name)
      const change = new Float32Array(weight.length)
      const read = { a: await model.read(a), b: await model.read(b) }
      await product.multiply(read, lora.rank, adapterScale(lora), change)
      for (let i = 0; i < weight.length; i++) weight[i]! += change[i]!
    }
  } finally {
    await product.release()
  }
}

// A job before it starts: its settings looked over, and the hash by which its checkpoints are known.
import { isDeepStrictEqual } from 'node:util'
import { UserError } from '../../base/errors.ts'
import { hashFile, hashJson } from '../../base/files.ts'
import { type LoraShape, linearLayers } from '../../model/weights.ts'
import type { TrainingJob } from '../engine.ts'
import { hashModel } from './reference.ts'

/** Settings that do not go together are a UserError. */
export function checkJob(job: TrainingJob): void {
  if (job.keep === 'best' && Object.keys(job.evaluationFiles).length === 0) {
    throw new UserError('keep: best needs a held-out set to choose by.')
  }
  if (job.objective.kind === 'next-token' ? !('tokens' in job.batch) : !('pairs' in job.batch)) {
    throw new UserError(
      `batch: a ${job.objective.kind} objective needs ${job.objective.kind === 'next-token' ? 'tokens' : 'pairs'}.`,
    )
  }
  const { base = 'float32' } = job.model
  if (job.method.kind === 'full' && base !== 'float32') {
    throw new UserError(`base: ${base} holds frozen weights, and with method full all weights learn. Use lora.`)
  }
  if (job.method.kind !== 'lora') return
  const unknown = job.method.targetModules.find((name) => !Object.hasOwn(linearLayers, name))
  if (unknown !== undefined) {
    throw new UserError(
      `targetModules: '${unknown}' is no linear layer. There are ${Object.keys(linearLayers).join(', ')}.`,
    )
  }
}

/** An adapter that the job's model has already is trained on, so it must have the shape that the job asks for. */
export function checkAdapter({ method, model }: TrainingJob, lora: LoraShape | undefined): void {
  if (method.kind !== 'lora' || lora === undefined) return
  const describe = ({ rank, alpha, rankStabilised, targetModules }: LoraShape) =>
    `rank ${rank}, alpha ${alpha}${rankStabilised ? ', rank-stabilised,' : ''} on ${[...targetModules].sort().join(', ')}`
  if (describe(lora) === describe(method)) return
  throw new UserError(
    `${model.adapter}: an adapter of ${describe(lora)} cannot be trained on as one of ${describe(method)}. Merge it first, or use its shape.`,
  )
}

/** Hash of all that decides the result's bits, and that of the reference model where there is one. */
export async function hashJob(job: TrainingJob): Promise<{ job: string; reference: string | undefined }> {
  const {
    outputFolder: _where,
    keepCheckpoints: _kept,
    checkpointEverySteps: _often,
    recompute: _how,
    ...settings
  } = job
  const files = [job.trainingFile, ...Object.values(job.evaluationFiles)]
  const hashes: string[] = []
  for (const file of files) hashes.push(await hashFile(file))
  const model = await hashModel(job.model)
  const of = job.objective.kind === 'preference' ? job.objective.reference : undefined
  // Often the same: hashing takes seconds a gigabyte.
  const reference = of && (isDeepStrictEqual(of, job.model) ? model : await hashModel(of))
  return { job: hashJson({ settings, hashes, model, reference }), reference }
}

// Preference training: RPO, DPO or winners only, one round of one variant.
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Recipe, VariantName } from '../../recipe/recipe.ts'
import { locateModel, type ModelSource, reads, readsModels } from '../models.ts'
import { roundSuffix, type Stage } from '../stage.ts'
import { heldAs, jobSettings, runTraining, trainedModel, trainingIdentity } from '../training.ts'
import { pairFiles } from './pair.ts'
import { meanSampled } from './sample.ts'

export interface Preference {
  variant: VariantName
  loss: 'rpo' | 'dpo' | 'winners'
  round: number
  start: ModelSource
  /** p_ref. */
  reference: ModelSource
  /** The stages that sampled the responses and made the pairs of them. */
  sample: Stage
  pair: Stage
}

const titles = { rpo: 'RPO', dpo: 'DPO', winners: 'Training on winners only' }

export function preferStage(recipe: Recipe, preference: Preference): { stage: Stage; model: ModelSource } {
  const { variant, loss, round, start, reference, sample, pair } = preference
  const { rounds, reference: referenceRule, beta, nllWeight, ...training } = recipe.prefer
  const objective = {
    loss,
    ...(loss !== 'winners' && { beta }),
    ...(loss === 'rpo' && { nllWeight }),
    ...(round > 1 && { reference: referenceRule }),
  }
  const { probeQuestions, probeSnapshots } = recipe.report
  const id = `prefer-${variant}${roundSuffix(round)}`
  const stage: Stage = {
    id,
    kind: 'prefer',
    title: `${titles[loss]} (${variant}${rounds > 1 ? `, round ${round}` : ''})`,
    round,
    ...reads(readsModels({ 'model.folder': start, reference }), {
      dependencies: [
        { stage: pair.id, path: pairFiles.training },
        { stage: pair.id, path: pairFiles.heldOut },
      ],
    }),
    settings: {
      prefer: { ...objective, ...trainingIdentity(training) },
      pair: { maxTokens: recipe.pair.maxTokens },
      seed: recipe.seed,
      ...(probeQuestions > 0 && { report: { probeSnapshots } }),
    },
    async *run(work) {
      const pairs = join(work.runFolder, pair.id)
      const heldOut = join(pairs, pairFiles.heldOut)
      const job: Parameters<typeof runTraining>[2] = {
        ...jobSettings(recipe, recipe.prefer),
        model: heldAs(locateModel(start, work.runFolder), training),
        objective: {
          kind: 'preference',
          loss,
          beta,
          alpha: { rpo: nllWeight, dpo: 0, winners: 1 }[loss],
          reference: heldAs(locateModel(reference, work.runFolder), training),
        },
        trainingFile: join(pairs, pairFiles.training),
        evaluationFiles: (await stat(heldOut)).size > 0 ? { 'held-out': heldOut } : {},
        batch: { pairs: training.pairsPerStep, maxTokens: recipe.pair.maxTokens },
      }
      // What was written in 8 bits has the log-probabilities of other weights than the reference's.
      const isComparable = recipe.sampler.precision === 'float32'
      const sampled = isComparable ? () => meanSampled(work.runFolder, sample, heldOut) : undefined
      return yield* runTraining(work, recipe.prefer, job, sampled)
    },
  }
  return { stage, model: trainedModel(variant, id, recipe.prefer, start) }
}

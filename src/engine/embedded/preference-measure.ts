// What the curves show of preference training: log-probabilities, margins and lengths, as means over pairs.
import { internal } from '../../base/errors.ts'
import type { PreferenceMetrics } from '../../base/progress.ts'
import { type PlannedBatch, pairKeys, type ReferenceScores, referenceOf, sumResponses } from '../training-data.ts'

/** Gathers the pairs of several micro-batches. */
export class PreferenceMeasure {
  private readonly beta: number
  private readonly reference: ReferenceScores
  private pairs = 0
  private readonly sums: PreferenceMetrics = {
    chosenLogProbability: 0,
    rejectedLogProbability: 0,
    margin: 0,
    accuracy: 0,
    chosenTokens: 0,
    rejectedTokens: 0,
  }

  constructor(beta: number, reference: ReferenceScores) {
    this.beta = beta
    this.reference = reference
  }

  add({ trees }: PlannedBatch, logProbabilities: Float32Array): void {
    const policy = sumResponses(trees, logProbabilities)
    const { sums } = this
    for (const { pair } of trees.flatMap((tree) => tree.pairs)) {
      const keys = pairKeys(pair)
      const lead = (key: string, side: 0 | 1) => scoreOf(policy, key) - referenceOf(this.reference, pair.number, side)
      const margin = this.beta * (lead(keys.chosen, 0) - lead(keys.rejected, 1))
      sums.chosenLogProbability += scoreOf(policy, keys.chosen)
      sums.rejectedLogProbability += scoreOf(policy, keys.rejected)
      sums.margin += margin
      sums.accuracy += margin > 0 ? 1 : 0
      sums.chosenTokens += pair.chosenTokens.length
      sums.rejectedTokens += pair.rejectedTokens.length
      this.pairs++
    }
  }

  means(): PreferenceMetrics {
    const means = { ...this.sums }
    for (const key of Object.keys(means) as (keyof PreferenceMetrics)[]) means[key] /= this.pairs
    return means
  }
}

function scoreOf(scores: ReadonlyMap<string, number>, key: string): number {
  return scores.get(key) ?? internal('a response without a score')
}

// Objectives: one function of log-probabilities; next-token, DPO, RPO and winners-only are weights of it.
import { internal } from '../base/errors.ts'
import { add, constant, matmul, multiply, negate, reshape, softplus, subtract, sum } from '../graph/build.ts'
import type { Value } from '../graph/value.ts'
import type { Pair, PreferenceTree } from './preference-groups.ts'

/** The loss's weights for the N predictions and P pairs of a micro-batch. */
export interface ObjectiveWeights {
  /** w [N]: a prediction's share of the likelihood term. */
  tokenWeights: Float32Array
  pairs?: PairWeights
}

export interface PairWeights {
  count: number
  /** [P, N]: 1 on the tokens of the chosen response, -1 on those of the rejected one. */
  matrix: Float32Array
  /** c [P] */
  weights: Float32Array
  /** [P]: the reference's log p(chosen) - log p(rejected). */
  referenceMargins: Float32Array
}

/** The same as values of a graph. */
export interface ObjectiveInputs {
  tokenWeights: Value
  pairs?: { beta: number; matrix: Value; weights: Value; referenceMargins: Value }
}

/**
 * loss = sum_k c_k softplus(-beta ((matrix·logp)_k - referenceMargin_k)) - sum_t w_t logp_t, a scalar, from logp [N].
 * softplus(-x) = -log sigmoid(x), so with c = 1/P and w = alpha / (P |chosen|) this is RPO (Pang et al. 2024, eq. 1).
 */
export function buildLoss(logProbabilities: Value, { tokenWeights, pairs }: ObjectiveInputs): Value {
  const likelihood = negate(sum(multiply(tokenWeights, logProbabilities)))
  if (pairs === undefined) return likelihood
  const [count] = pairs.matrix.shape
  const column = reshape(logProbabilities, [logProbabilities.shape[0] ?? internal('no predictions'), 1])
  const margins = reshape(matmul(pairs.matrix, column), [count ?? internal('no pairs')])
  const lead = multiply(subtract(margins, pairs.referenceMargins), constant(-pairs.beta))
  return add(sum(multiply(pairs.weights, softplus(lead))), likelihood)
}

/** The same loss on the host, in double, from computed log-probabilities: what metrics and evaluations report. */
export function measureLoss(
  logProbabilities: Float32Array,
  { tokenWeights, pairs }: ObjectiveWeights,
  beta = 0,
): number {
  let loss = 0
  for (let t = 0; t < tokenWeights.length; t++) {
    if (tokenWeights[t] !== 0) loss -= tokenWeights[t]! * logProbabilities[t]!
  }
  if (pairs === undefined) return loss
  const size = tokenWeights.length
  for (let k = 0; k < pairs.count; k++) {
    if (pairs.weights[k] === 0) continue
    let margin = -pairs.referenceMargins[k]!
    for (let t = 0; t < size; t++) {
      const sign = pairs.matrix[k * size + t]!
      if (sign !== 0) margin += sign * logProbabilities[t]!
    }
    const lead = -beta * margin
    loss += pairs.weights[k]! * (Math.log1p(Math.exp(-Math.abs(lead))) + Math.max(lead, 0))
  }
  return loss
}

/** Weights of next-token training: every prediction counts alike. `total`: predictions of the whole optimizer step. */
export function nextTokenWeights(predictions: number, size: number, total: number): ObjectiveWeights {
  return { tokenWeights: new Float32Array(size).fill(1 / total, 0, predictions) }
}

/** Which terms count: dpo is the preference term, winners the likelihood term, rpo both. */
export interface PreferenceLoss {
  loss: 'rpo' | 'dpo' | 'winners'
  alpha: number
}

/**
 * Weights of preference training for the trees of a micro-batch, whose predictions stand in this order in its N = `size` ones.
 * Each pair adds -log sigmoid(...) / total and alpha x its chosen response's mean of -logp / total (the paper's own mean a sequence).
 * `total`: pairs of the whole optimizer step; `referenceMargin`: see PairWeights.
 */
export function preferenceWeights<P extends Pair>(
  trees: readonly PreferenceTree<P>[],
  size: number,
  total: number,
  { loss, alpha }: PreferenceLoss,
  referenceMargin: (pair: P) => number,
): ObjectiveWeights & { pairs: PairWeights } {
  const count = trees.reduce((sum, tree) => sum + tree.pairs.length, 0)
  const tokenWeights = new Float32Array(size)
  const matrix = new Float32Array(count * size)
  const referenceMargins = new Float32Array(count)
  let k = 0
  let start = 0
  for (const { row, responses, pairs } of trees) {
    for (const { pair, ...sides } of pairs) {
      const chosen = responses[sides.chosen] ?? internal('a pair without its chosen response')
      const rejected = responses[sides.rejected] ?? internal('a pair without its rejected response')
      matrix.fill(1, k * size + start + chosen.from, k * size + start + chosen.to)
      // A response that is both adds up to nothing.
      for (let t = start + rejected.from; t < start + rejected.to; t++) matrix[k * size + t]! -= 1
      if (loss !== 'dpo') {
        const share = alpha / (total * (chosen.to - chosen.from))
        for (let t = start + chosen.from; t < start + chosen.to; t++) tokenWeights[t]! += share
      }
      referenceMargins[k++] = referenceMargin(pair)
    }
    start += row.predictions.length
  }
  const weights = new Float32Array(count).fill(loss === 'winners' ? 0 : 1 / total)
  return { tokenWeights, pairs: { count, matrix, weights, referenceMargins } }
}

// Objectives against numbers derived by hand, on the graph (in float64) and on the host.
import { describe, expect, it } from 'vitest'
import { array64, interpret } from '../../test/graph-interpreter.ts'
import { input } from '../graph/build.ts'
import { buildLoss, measureLoss, nextTokenWeights, type ObjectiveWeights, preferenceWeights } from './objective.ts'
import { growTrees, type Pair } from './preference-groups.ts'

const pair: Pair = { id: 'p', question: 'q', promptTokens: [1, 2], chosenTokens: [3, 4], rejectedTokens: [5, 6, 7] }

/**
 * Chosen: ln 0.5 + ln 0.25 = -3 ln 2 (two tokens); rejected: ln 0.5 + ln 0.5 + ln 0.5 = -3 ln 2 (three tokens).
 * The reference prefers the rejected one by 2, so the lead of chosen over rejected is 0 - (-2) = 2.
 */
const logProbabilities = Float32Array.from([0.5, 0.25, 0.5, 0.5, 0.5], Math.log)
const referenceMargin = () => -2
const ln2 = Math.log(2)
const preferenceTerm = (beta: number) => Math.log(1 + Math.exp(-2 * beta))

function onGraph(logp: Float32Array, weights: ObjectiveWeights, beta: number): number {
  const { tokenWeights, pairs } = weights
  const size = logp.length
  const loss = buildLoss(input('logp', [size]), {
    tokenWeights: input('w', [size]),
    ...(pairs && {
      pairs: {
        beta,
        matrix: input('m', [pairs.count, size]),
        weights: input('c', [pairs.count]),
        referenceMargins: input('r', [pairs.count]),
      },
    }),
  })
  const feeds = {
    logp: array64([size], logp),
    w: array64([size], tokenWeights),
    ...(pairs && {
      m: array64([pairs.count, size], pairs.matrix),
      c: array64([pairs.count], pairs.weights),
      r: array64([pairs.count], pairs.referenceMargins),
    }),
  }
  return interpret({ loss }, feeds).loss!.data[0]!
}

describe('objectives', () => {
  it('next-token: the mean of -log p, padding left out', () => {
    const weights = nextTokenWeights(2, 4, 2)
    expect([...weights.tokenWeights]).toEqual([0.5, 0.5, 0, 0])
    expect(measureLoss(logProbabilities.subarray(0, 4), weights)).toBeCloseTo((3 * ln2) / 2, 6)
    expect(onGraph(logProbabilities.subarray(0, 4), weights, 0)).toBeCloseTo((3 * ln2) / 2, 6)
  })

  it.each([
    ['dpo', 0.1, 1, preferenceTerm(0.1)],
    ['dpo', 0.5, 3, preferenceTerm(0.5)],
    // The likelihood term is the chosen response's own mean: 3 ln 2 over two tokens.
    ['rpo', 0.1, 1, preferenceTerm(0.1) + 1.5 * ln2],
    ['rpo', 0.1, 2, preferenceTerm(0.1) + 3 * ln2],
    ['winners', 0.1, 1, 1.5 * ln2],
  ] as const)('%s with beta %d and alpha %d', (loss, beta, alpha, expected) => {
    const weights = preferenceWeights(growTrees([pair], 100), 5, 1, { loss, alpha }, referenceMargin)
    expect(measureLoss(logProbabilities, weights, beta)).toBeCloseTo(expected, 6)
    expect(onGraph(logProbabilities, weights, beta)).toBeCloseTo(expected, 6)
  })

  it('averages over pairs, a response that two pairs share counting twice', () => {
    const other: Pair = { ...pair, id: 'p2', rejectedTokens: [8] }
    const trees = growTrees([pair, other], 100)
    expect(trees).toHaveLength(1)
    expect(trees[0]!.responses).toHaveLength(3)
    const weights = preferenceWeights(trees, 6, 2, { loss: 'rpo', alpha: 1 }, referenceMargin)
    const logp = Float32Array.from([0.5, 0.25, 0.5, 0.5, 0.5, 0.125], Math.log)
    // The second pair's lead: -3 ln 2 + 3 ln 2 + 2.
    const expected = preferenceTerm(0.1) + 1.5 * ln2
    expect(measureLoss(logp, weights, 0.1)).toBeCloseTo(expected, 6)
    expect(onGraph(logp, weights, 0.1)).toBeCloseTo(expected, 6)
  })
})

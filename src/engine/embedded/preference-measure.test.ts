// Means over pairs: what the policy gained over the reference, by hand.
import { expect, it } from 'vitest'
import { growTrees } from '../../training/preference-groups.ts'
import { PreferenceMeasure } from './preference-measure.ts'

it('adds up log-probabilities, margins and the pairs told apart; a tie is not told apart', () => {
  const pair = { question: 'q', promptTokens: [1, 2], chosenTokens: [3, 4], rejectedTokens: [5] }
  const pairs = [0, 1, 2].map((number) => ({ ...pair, id: `p${number}`, number, promptTokens: [1, 2 + number] }))
  const measure = new PreferenceMeasure(0.5, Float64Array.of(-3, -2, -4, -1, -2, -3))
  for (const [i, logProbabilities] of [
    [-1, -1.5, -2.5], // chosen -2.5, half a nat gained; rejected -2.5, half a nat lost
    [-2, -2, -1], // as the reference: a tie
    [-2, -1, -2.5], // chosen loses a nat, rejected gains half a nat
  ].entries()) {
    const trees = growTrees([pairs[i]!], 100)
    measure.add({ rows: trees.map(({ row }) => row), ids: [], trees }, Float32Array.from(logProbabilities))
  }
  expect(measure.means()).toEqual({
    chosenLogProbability: -9.5 / 3,
    rejectedLogProbability: -2,
    margin: (0.5 * (1 + 0 - 1.5)) / 3,
    accuracy: 1 / 3,
    chosenTokens: 2,
    rejectedTokens: 1,
  })
})

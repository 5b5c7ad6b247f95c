// Choosing tokens: exact choices on small rows, frequencies on many draws.
import { describe, expect, it } from 'vitest'
import { Random } from '../../base/random.ts'
import { chooseLargest, chooseRandom } from './selection.ts'

const rows = (...values: number[][]) => Float32Array.from(values.flat())

describe('chooseLargest', () => {
  it.each([
    ['the largest of its row', rows([9, 9, 9], [1, 3, 2]), 1, 1],
    ['the first of equals', rows([2, 5, 5]), 0, 1],
    ['nothing where all is no number', rows([Number.NaN, Number.NaN, Number.NaN]), 0, -1],
  ])('takes %s', (_, numbers, row, expected) => {
    expect(chooseLargest(numbers, row, 3)).toBe(expected)
  })
})

describe('chooseRandom', () => {
  const probabilities = [0.05, 0.4, 0, 0.3, 0.15, 0.1]
  const draw = (topK: number, topP: number, uniform: number) =>
    chooseRandom(rows([1, 0, 0, 0, 0, 0], probabilities), 1, 6, { topK, topP }, uniform)
  /** The share of each token in many draws. */
  const shares = (topK: number, topP: number) => {
    const random = new Random(1)
    const counts = probabilities.map(() => 0)
    for (let i = 0; i < 5_000; i++) counts[draw(topK, topP, random.uniform())]!++
    return counts.map((count) => count / 5_000)
  }

  it.each([
    [0, 1, probabilities],
    [1, 1, [0, 1, 0, 0, 0, 0]],
    [2, 1, [0, 4 / 7, 0, 3 / 7, 0, 0]],
    [100, 1, probabilities],
    [0, 0.39, [0, 1, 0, 0, 0, 0]],
    [0, 0.5, [0, 4 / 7, 0, 3 / 7, 0, 0]],
    [0, 0.8, [0, 0.4 / 0.85, 0, 0.3 / 0.85, 0.15 / 0.85, 0]],
    // After the three likeliest, 0.4/0.85 alone holds 0.45 of what is left.
    [3, 0.45, [0, 1, 0, 0, 0, 0]],
    [3, 0.5, [0, 4 / 7, 0, 3 / 7, 0, 0]],
  ])('topK %d and topP %d leave %j', (topK, topP, expected) => {
    shares(topK, topP).forEach((share, token) => {
      if (expected[token] === 0) expect(share).toBe(0)
      else expect(Math.abs(share - expected[token]!)).toBeLessThan(0.025)
    })
  })

  it('gives the ends of the distribution for the ends of the interval', () => {
    expect([draw(0, 1, 0), draw(0, 1, 1 - 2 ** -53)]).toEqual([0, 5])
    expect(chooseRandom(rows([0.5, 0.499, 0]), 0, 3, { topK: 0, topP: 1 }, 1 - 2 ** -53)).toBe(1) // the row falls short of 1
    expect(chooseRandom(rows([Number.NaN, Number.NaN]), 0, 2, { topK: 0, topP: 1 }, 0.5)).toBe(-1)
  })

  it('finds the likeliest among very many', () => {
    const size = 5000
    const random = new Random(2)
    const numbers = Float32Array.from({ length: size }, () => random.uniform())
    const best = [...numbers.keys()].sort((a, b) => numbers[b]! - numbers[a]!).slice(0, 7)
    const drawn = new Set(
      Array.from({ length: 2000 }, () => chooseRandom(numbers, 0, size, { topK: 7, topP: 1 }, random.uniform())),
    )
    expect([...drawn].sort()).toEqual(best.sort())
  })
})

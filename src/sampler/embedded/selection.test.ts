// Drawing among the likeliest: exact choices on small rows, frequencies on many draws.
import { describe, expect, it } from 'vitest'
import { Random } from '../../base/random.ts'
import { drawLikeliest } from './selection.ts'

describe('drawLikeliest', () => {
  const probabilities = [0.05, 0.4, 0, 0.3, 0.15, 0.1]
  const draw = (topK: number, topP: number, share: number) =>
    drawLikeliest(Float32Array.from(probabilities), { topK, topP }, share)
  /** The share of each token in many draws. */
  const shares = (topK: number, topP: number) => {
    const random = new Random(1)
    const counts = probabilities.map(() => 0)
    for (let i = 0; i < 5_000; i++) counts[draw(topK, topP, random.uniform())]!++
    return counts.map((count) => count / 5_000)
  }

  it.each([
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
    expect([draw(5, 1, 0), draw(5, 1, 1 - 2 ** -53)]).toEqual([1, 0]) // the likeliest bucket first, the bucket where the set ends last
    // One of two equals holds just the half that is asked for.
    expect(drawLikeliest(Float32Array.of(0.5, 0.5), { topK: 0, topP: 0.5 }, 1 - 2 ** -53)).toBe(0)
    expect(drawLikeliest(Float32Array.of(Number.NaN, Number.NaN), { topK: 1, topP: 1 }, 0.5)).toBe(-1)
  })

  it('finds the likeliest among very many', () => {
    const size = 5000
    const random = new Random(2)
    const numbers = Float32Array.from({ length: size }, () => random.uniform())
    const best = [...numbers.keys()].sort((a, b) => numbers[b]! - numbers[a]!).slice(0, 7)
    const drawn = new Set(
      Array.from({ length: 2000 }, () => drawLikeliest(numbers, { topK: 7, topP: 1 }, random.uniform())),
    )
    expect([...drawn].sort()).toEqual(best.sort())
  })
})

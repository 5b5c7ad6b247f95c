// The optimizer against a plain AdamW in double, clipping, decay, and the schedule at its corners.
import { describe, expect, it } from 'vitest'
import { Random } from '../base/random.ts'
import { placeWeights, viewSegment } from './flat-weights.ts'
import { gradientNorm, scheduledRate, updateWeights } from './optimizer.ts'

const settings = { beta1: 0.9, beta2: 0.98, epsilon: 1e-8, weightDecay: 0.1, clipNorm: 1 }

describe('AdamW', () => {
  it('steps as the formula says, matrices decaying and biases not', () => {
    const { segments, length } = placeWeights(
      new Map([
        ['matrix', [101, 103]], // more than a block, and no multiple of four
        ['bias', [7]],
      ]),
    )
    const random = new Random(1, 'optimizer')
    const weights = new Float32Array(length)
    for (const segment of segments)
      viewSegment(weights, segment).set(Float32Array.from({ length: segment.size }, () => random.normal()))
    const moments = { mean: new Float32Array(length), square: new Float32Array(length) }
    const expected = Float64Array.from(weights)
    const m = new Float64Array(length)
    const v = new Float64Array(length)
    for (let step = 1; step <= 4; step++) {
      const gradient = new Float32Array(length)
      for (const { offset, size } of segments) {
        for (let i = offset; i < offset + size; i++) gradient[i] = (step % 2 === 0 ? 0.01 : 2) * random.normal()
      }
      const norm = gradientNorm(gradient)
      expect(norm).toBeCloseTo(Math.hypot(...gradient), 10)
      updateWeights(segments, weights, gradient, moments, step, 0.05, norm, settings)
      const clip = Math.min(1, 1 / norm)
      for (const { offset, size, name } of segments) {
        for (let i = offset; i < offset + size; i++) {
          const g = clip * gradient[i]!
          m[i] = 0.9 * m[i]! + 0.1 * g
          v[i] = 0.98 * v[i]! + 0.02 * g * g
          if (name === 'matrix') expected[i]! -= 0.05 * 0.1 * expected[i]!
          expected[i]! -= (0.05 * (m[i]! / (1 - 0.9 ** step))) / (Math.sqrt(v[i]! / (1 - 0.98 ** step)) + 1e-8)
        }
      }
    }
    for (let i = 0; i < length; i++) expect(Math.abs(weights[i]! - expected[i]!)).toBeLessThan(1e-6)
  })

  it('sees a gradient that is no number', () => {
    expect(gradientNorm(Float32Array.of(1, Number.NaN, 3, 4, 5))).toBeNaN()
    expect(gradientNorm(Float32Array.of(1, 2, 3, 4, Number.POSITIVE_INFINITY))).toBe(Number.POSITIVE_INFINITY)
    expect(gradientNorm(Float32Array.of(3, 4))).toBe(5)
  })
})

describe('the schedule', () => {
  const rate = (step: number, schedule: 'cosine' | 'linear' | 'constant', warmupSteps = 10) =>
    scheduledRate(step, 110, { learningRate: 1, finalLearningRateShare: 0.1, schedule, warmupSteps })
  it.each([
    [rate(1, 'cosine'), 0.1],
    [rate(10, 'cosine'), 1],
    [rate(60, 'cosine'), 0.55],
    [rate(110, 'cosine'), 0.1],
    [rate(60, 'linear'), 0.55],
    [rate(35, 'linear'), 0.775],
    [rate(110, 'linear'), 0.1],
    [rate(110, 'constant'), 1],
    [rate(1, 'constant', 0), 1],
  ])('gives %d where %d is due', (found, due) => {
    expect(found).toBeCloseTo(due, 12)
  })
})

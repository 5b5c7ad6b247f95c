import { describe, expect, it } from 'vitest'
import type { PreferenceMetrics, TrainingEvent } from '../base/progress.ts'
import { lossCurves, preferenceCurves, summariseTraining, thinned } from './curves.ts'
import type { ReportTraining } from './report-input.ts'

function step(number: number, loss: number, preference?: PreferenceMetrics): TrainingEvent {
  const rest = { learningRate: 1, gradientNorm: 1, tokens: 10, seconds: 1 }
  return { type: 'step-end', step: number, loss, ...rest, ...(preference ? { preference } : {}) }
}

function evaluation(number: number, set: string, loss: number, preference?: PreferenceMetrics): TrainingEvent {
  return { type: 'evaluation-end', step: number, set, loss, tokens: 5, ...(preference ? { preference } : {}) }
}

function training(events: TrainingEvent[]): ReportTraining {
  return { stage: 'prefer', title: 'RPO', objective: 'rpo', variants: [], events }
}

function margin(value: number): PreferenceMetrics {
  return {
    chosenLogProbability: -1,
    rejectedLogProbability: -2,
    margin: value,
    accuracy: 1,
    chosenTokens: 3,
    rejectedTokens: 4,
  }
}

describe('curves', () => {
  it('keep training and each held-out set apart, and leave out what is no number', () => {
    const events = [
      evaluation(0, 'general', 3),
      step(1, 2),
      step(2, Number.NaN),
      evaluation(2, 'general', 4),
      step(3, 1),
    ]
    expect(lossCurves(training(events))).toEqual([
      {
        name: 'training',
        points: [
          { step: 1, value: 2 },
          { step: 3, value: 1 },
        ],
      },
      {
        name: 'general',
        points: [
          { step: 0, value: 3 },
          { step: 2, value: 4 },
        ],
      },
    ])
    expect(preferenceCurves(training(events), 'margin')).toEqual([])
  })

  it('are thinned to means of neighbours', () => {
    const points = Array.from({ length: 240 }, (_, index) => ({ step: index, value: 2 * index }))
    expect(thinned(points)).toHaveLength(120)
    expect(thinned(points)[0]).toEqual({ step: 0.5, value: 1 })
    expect(thinned(points.slice(0, 120))).toEqual(points.slice(0, 120))
  })
})

describe('summariseTraining', () => {
  it('takes the first and last tenth of the steps, and the ends of held-out sets', () => {
    const steps = Array.from({ length: 20 }, (_, index) => step(index + 1, 20 - index))
    const summary = summariseTraining(training([evaluation(0, 'general', 5), ...steps, evaluation(20, 'general', 6)]))
    expect(summary).toMatchObject({
      steps: 20,
      tokens: 200,
      trainingLoss: { before: 19.5, after: 1.5 },
      evaluationLoss: { general: { before: 5, after: 6 } },
    })
    expect(summary).not.toHaveProperty('preference')
  })

  it('takes preference values of the held-out pairs, or of the training pairs where there are none', () => {
    const heldOut = [evaluation(0, 'pairs', 1, margin(0)), step(1, 1, margin(7)), evaluation(1, 'pairs', 1, margin(2))]
    expect(summariseTraining(training(heldOut)).preference).toMatchObject({
      set: 'pairs',
      margin: { before: 0, after: 2 },
    })
    const own = [step(1, 1, margin(7)), step(2, 1, margin(8))]
    expect(summariseTraining(training(own)).preference).toMatchObject({
      set: 'training',
      margin: { before: 7, after: 8 },
    })
  })

  it('has no loss where no step was recorded', () => {
    expect(summariseTraining(training([]))).toMatchObject({ steps: 0, trainingLoss: null, evaluationLoss: {} })
  })
})

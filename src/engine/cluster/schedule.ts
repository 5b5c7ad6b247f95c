// The embedded engine's learning rates in the words of transformers.
import type { TrainingJob } from '../engine.ts'

/**
 * The scheduler of transformers whose rates are those of scheduledRate in src/training. Its linear ones lag a step behind
 * (the first step of a warm-up has the rate 0): its ends are moved so that all steps after the warm-up agree.
 */
export function describeSchedule(
  { schedule, learningRate, finalLearningRateShare: last, warmupSteps }: TrainingJob,
  steps: number,
): { learningRate: number; type: string; settings: Record<string, number>; warmupSteps: number } {
  if (schedule !== 'linear') {
    // 'constant' is a cosine that falls to the whole of its peak: transformers' own one begins its warm-up at 0.
    const settings = { min_lr_rate: schedule === 'constant' ? 1 : last }
    return { learningRate, type: 'cosine_warmup_with_min_lr', settings, warmupSteps }
  }
  const fall = (learningRate * (1 - last)) / Math.max(1, steps - warmupSteps)
  const peak = warmupSteps === 0 ? learningRate - fall : learningRate
  const warmup = Math.max(0, warmupSteps - 1)
  return {
    learningRate: peak,
    type: 'polynomial',
    settings: { lr_end: peak - fall * (steps - warmup), power: 1 },
    warmupSteps: warmup,
  }
}

// AdamW with decoupled decay (Loshchilov and Hutter 2019), clipping by global norm, and the schedule of the learning rate.
import { updateRange } from './adam-kernel.ts'
import type { Segments } from './flat-weights.ts'

export interface OptimizerSettings {
  beta1: number
  beta2: number
  epsilon: number
  weightDecay: number
  /** Global norm that gradients are clipped to. */
  clipNorm: number
}

/** The running means of the gradient and of its square, flat like the weights. */
export interface Moments {
  mean: Float32Array
  square: Float32Array
}

/**
 * The global norm of a flat gradient, summed in double: in four lanes, so that additions overlap.
 * Not finite where any entry is not.
 */
export function gradientNorm(gradient: Float32Array): number {
  let a = 0
  let b = 0
  let c = 0
  let d = 0
  const whole = gradient.length & ~3
  for (let i = 0; i < whole; i += 4) {
    const w = gradient[i]!
    const x = gradient[i + 1]!
    const y = gradient[i + 2]!
    const z = gradient[i + 3]!
    a += w * w
    b += x * x
    c += y * y
    d += z * z
  }
  for (let i = whole; i < gradient.length; i++) a += gradient[i]! * gradient[i]!
  return Math.sqrt(a + b + (c + d))
}

/**
 * One step of AdamW in place. `step` counts from 1; `norm` is the gradient's. Matrices decay (embeddings among them, as is
 * customary), norms and biases do not.
 */
export function updateWeights(
  segments: Segments,
  weights: Float32Array,
  gradient: Float32Array,
  { mean, square }: Moments,
  step: number,
  learningRate: number,
  norm: number,
  settings: OptimizerSettings,
): void {
  const { beta1, beta2, epsilon } = settings
  const clip = norm > settings.clipNorm ? settings.clipNorm / norm : 1
  // w -= rate (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon), with the corrections taken out of the loop
  const correction = Math.sqrt(1 - beta2 ** step)
  const constants = {
    meanDecay: beta1,
    meanShare: (1 - beta1) * clip,
    squareDecay: beta2,
    squareShare: (1 - beta2) * clip * clip,
    rate: (learningRate * correction) / (1 - beta1 ** step),
    floor: epsilon * correction,
  }
  for (const { offset, size, decays } of segments) {
    const weightDecay = decays ? learningRate * settings.weightDecay : 0
    updateRange(weights, gradient, mean, square, offset, offset + size, { ...constants, weightDecay })
  }
}

export interface ScheduleSettings {
  learningRate: number
  finalLearningRateShare: number
  schedule: 'cosine' | 'linear' | 'constant'
  warmupSteps: number
}

/** The learning rate of a step (from 1): rises to its peak over the warm-up, then falls, and is at its lowest in the last step. */
export function scheduledRate(step: number, steps: number, settings: ScheduleSettings): number {
  const { learningRate, finalLearningRateShare: last, schedule, warmupSteps } = settings
  if (step <= warmupSteps) return (learningRate * step) / warmupSteps
  if (schedule === 'constant') return learningRate
  const done = (step - warmupSteps) / Math.max(1, steps - warmupSteps)
  const falling = schedule === 'linear' ? 1 - done : (1 + Math.cos(Math.PI * done)) / 2
  return learningRate * (last + (1 - last) * falling)
}

// How many floating-point operations a LoRA step must do, whatever does it, and how long its products take by themselves.
import type { ModelConfig } from '../../src/model/config.ts'
import { headName, weightShapes } from '../../src/model/weights.ts'

/** Operations a second of the products with a weight of so many outputs and inputs ('4864 x 896'). */
export type ProductRates = Record<string, { forward: number; backward: number }>

/**
 * Operations a token of a step with frozen weights: two a weight forward and two backward to the activations; and attention
 * over the earlier half of the row, two products forward and four backward. The adapter's own are left out.
 */
export function countOperations(config: ModelConfig, rowTokens: number): number {
  const weights = multipliedShapes(config).reduce((sum, { outputs, inputs }) => sum + outputs * inputs, 0)
  return 4 * weights + countAttention(config, rowTokens)
}

function countAttention(config: ModelConfig, rowTokens: number): number {
  const seen = rowTokens / 2
  return config.layers * 6 * 2 * config.heads * config.headWidth * seen
}

/** Seconds a token if each product ran at the rate that it reaches alone, and attention at the best of them. */
export function timeProducts(config: ModelConfig, rowTokens: number, rates: ProductRates): number {
  const best = Math.max(...Object.values(rates).flatMap(({ forward, backward }) => [forward, backward]))
  return multipliedShapes(config).reduce((sum, { outputs, inputs }) => {
    const { forward, backward } = rates[`${outputs} x ${inputs}`]!
    return sum + 2 * outputs * inputs * (1 / forward + 1 / backward)
  }, countAttention(config, rowTokens) / best)
}

/** Every weight that activations are multiplied by. */
export function multipliedShapes(config: ModelConfig): { outputs: number; inputs: number; isHead: boolean }[] {
  return [...weightShapes(config)].flatMap(([name, shape]) => {
    const isHead = name === headName(config)
    const [outputs, inputs] = shape as [number, number]
    return (isHead || name.startsWith('model.layers.')) && shape.length === 2 ? [{ outputs, inputs, isHead }] : []
  })
}

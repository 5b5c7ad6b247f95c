// Initial values, seeded: of a whole model trained from nothing, and of LoRA's two factors.
import { Random } from '../base/random.ts'
import type { ModelConfig } from '../model/config.ts'
import { embeddingName, weightShapes } from '../model/weights.ts'

/**
 * Values for every tensor of a model. Embeddings are N(0, 0.1), linear layers N(0, 1 / sqrt(inputs)); the output and down
 * projections, which add to the residual stream, a further 0.1 / sqrt(2 x layers) of that; norms 1, biases 0.
 * With 0.02 everywhere a narrow model learns nothing in its first thousand steps.
 */
export function initialWeight(config: ModelConfig, name: string, shape: readonly number[], seed: number): Float32Array {
  const values = new Float32Array(shape.reduce((product, dim) => product * dim, 1))
  if (name.endsWith('.bias')) return values
  if (shape.length === 1) return values.fill(1)
  const residual = /\.(o_proj|down_proj)\.weight$/.test(name) ? 0.1 / Math.sqrt(2 * config.layers) : 1
  const deviation = name === embeddingName ? 0.1 : residual / Math.sqrt(shape[1]!)
  const random = new Random(seed, 'initial', name)
  for (let i = 0; i < values.length; i++) values[i] = deviation * random.normal()
  return values
}

/** All tensors of a model with their initial values. */
export function* initialWeights(config: ModelConfig, seed: number) {
  for (const [name, shape] of weightShapes(config)) {
    yield { name, shape, read: () => initialWeight(config, name, shape, seed) }
  }
}

/** LoRA's factors (Hu et al. 2021): A uniform within ±1 / sqrt(inputs) (Kaiming's, as PEFT draws it), B zero, so that training starts from the model itself. */
export function initialLora(name: string, shape: readonly number[], seed: number): Float32Array {
  const values = new Float32Array(shape.reduce((product, dim) => product * dim, 1))
  if (name.endsWith('.lora_B.weight')) return values
  const bound = 1 / Math.sqrt(shape[1]!)
  const random = new Random(seed, 'lora', name)
  for (let i = 0; i < values.length; i++) values[i] = bound * (2 * random.uniform() - 1)
  return values
}

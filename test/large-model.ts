// A model of Qwen2.5-0.5B's shape with random weights: what memory and speed at a real size are measured on.
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { writeJson } from '../src/base/files.ts'
import { Random } from '../src/base/random.ts'
import { hasWeights, writeWeights } from '../src/formats/weights.ts'
import { loadModelConfig, type ModelConfig } from '../src/model/config.ts'
import { weightShapes } from '../src/model/weights.ts'

/** The published configuration of Qwen2.5-0.5B. */
export const qwenShape = {
  architectures: ['Qwen2ForCausalLM'],
  model_type: 'qwen2',
  vocab_size: 151_936,
  hidden_size: 896,
  num_hidden_layers: 24,
  num_attention_heads: 14,
  num_key_value_heads: 2,
  intermediate_size: 4864,
  rope_theta: 1_000_000,
  rms_norm_eps: 1e-6,
  hidden_act: 'silu',
  tie_word_embeddings: true,
  max_position_embeddings: 32_768,
  eos_token_id: 151_643,
}

/** Standard deviation of the weights, that of Qwen2's initialisation. */
const spread = 0.02
/** Numbers drawn; every tensor reads them from a place of its own, which is quicker than drawing 494 million. */
const drawn = 1 << 22

/** Writes config.json and 2 GB of float32 weights, unless they are there already. `layers` below 24 for a smaller one. */
export async function writeLargeModel(folder: string, layers = qwenShape.num_hidden_layers): Promise<ModelConfig> {
  await mkdir(folder, { recursive: true })
  await writeJson(join(folder, 'config.json'), { ...qwenShape, num_hidden_layers: layers })
  const config = await loadModelConfig(folder)
  if (await hasWeights(folder)) return config
  const random = new Random(1, 'large model')
  const pool = Float32Array.from({ length: drawn }, () => spread * random.normal())
  const read = (name: string, size: number) => {
    if (name.includes('norm')) return new Float32Array(size).fill(1)
    const values = new Float32Array(size)
    const start = new Random(1, name).integer(drawn)
    for (let to = 0, from = start; to < size; from = 0) {
      const part = pool.subarray(from, from + size - to)
      values.set(part, to)
      to += part.length
    }
    return values
  }
  const tensors = [...weightShapes(config)].map(([name, dims]) => ({
    name,
    shape: dims,
    read: () =>
      read(
        name,
        dims.reduce((a, b) => a * b),
      ),
  }))
  await writeWeights(folder, tensors)
  return config
}

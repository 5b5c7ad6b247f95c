// A model's configuration: Hugging Face's config.json, read and checked for the families that our graphs build.
import { join } from 'node:path'
import { z } from 'zod'
import { readDocument } from '../base/document.ts'
import { UserError } from '../base/errors.ts'

/** The shape of a decoder of the Qwen2 or Llama family. */
export interface ModelConfig {
  family: 'qwen2' | 'llama'
  vocabularySize: number
  /** Size of hidden states. */
  width: number
  layers: number
  heads: number
  keyValueHeads: number
  headWidth: number
  feedForwardWidth: number
  rotaryBase: number
  normEpsilon: number
  /** The head is the embedding table. */
  tiedEmbeddings: boolean
  /** Biases on the query, key and value projections. */
  attentionBias: boolean
  /** The most positions a sequence may have. */
  contextTokens: number
  /** Token ids that end a sequence, as config.json has them. */
  endOfSequence: number[]
}

const size = z.number().int().positive()
const ids = z.union([z.number().int(), z.array(z.number().int())])

const configSchema = z.looseObject({
  model_type: z.string(),
  vocab_size: size,
  hidden_size: size,
  num_hidden_layers: size,
  num_attention_heads: size,
  num_key_value_heads: size.optional(),
  head_dim: size.nullish(),
  intermediate_size: size,
  rope_theta: z.number().positive().optional(),
  rope_parameters: z.looseObject({ rope_type: z.string(), rope_theta: z.number().positive() }).nullish(),
  rope_scaling: z.looseObject({ rope_type: z.string().optional(), type: z.string().optional() }).nullish(),
  rms_norm_eps: z.number().positive(),
  hidden_act: z.string().default('silu'),
  tie_word_embeddings: z.boolean().default(false),
  attention_bias: z.boolean().default(false),
  mlp_bias: z.boolean().default(false),
  use_sliding_window: z.boolean().default(false),
  max_position_embeddings: size,
  eos_token_id: ids.nullish(),
  quantization_config: z.unknown().optional(),
})

/** Reads `<folder>/config.json`. What our graphs cannot build (another family, scaled rotary positions, a quantised checkpoint) is a UserError. */
export async function loadModelConfig(folder: string): Promise<ModelConfig> {
  const file = join(folder, 'config.json')
  const { value: raw, locate } = await readDocument(file, configSchema)
  const refuse = (key: string, reason: string): never => {
    throw new UserError(`${locate([key])}: ${key}: ${reason}`)
  }
  const family = raw.model_type
  if (family !== 'qwen2' && family !== 'llama') {
    return refuse('model_type', `the architecture '${family}' is not known. Known are qwen2 and llama.`)
  }
  if (raw.quantization_config !== undefined) {
    refuse('quantization_config', 'the checkpoint is quantised. Take the unquantised one.')
  }
  if (raw.hidden_act !== 'silu') refuse('hidden_act', `the activation '${raw.hidden_act}' is not known, only silu.`)
  if (raw.mlp_bias) refuse('mlp_bias', 'biases in the feed-forward layers are not supported.')
  if (raw.use_sliding_window) refuse('use_sliding_window', 'sliding-window attention is not supported.')
  const scaling = raw.rope_scaling?.rope_type ?? raw.rope_scaling?.type ?? raw.rope_parameters?.rope_type ?? 'default'
  if (scaling !== 'default') refuse('rope_scaling', `rotary positions scaled as '${scaling}' are not supported.`)

  const keyValueHeads = raw.num_key_value_heads ?? raw.num_attention_heads
  if (raw.num_attention_heads % keyValueHeads !== 0) {
    refuse(
      'num_key_value_heads',
      `${raw.num_attention_heads} heads do not divide among ${keyValueHeads} key-value heads.`,
    )
  }
  const headWidth = raw.head_dim ?? raw.hidden_size / raw.num_attention_heads
  if (!Number.isInteger(headWidth) || headWidth % 2 !== 0) {
    refuse('hidden_size', `${raw.hidden_size} over ${raw.num_attention_heads} heads is no even head width.`)
  }
  return {
    family,
    vocabularySize: raw.vocab_size,
    width: raw.hidden_size,
    layers: raw.num_hidden_layers,
    heads: raw.num_attention_heads,
    keyValueHeads,
    headWidth,
    feedForwardWidth: raw.intermediate_size,
    rotaryBase: raw.rope_theta ?? raw.rope_parameters?.rope_theta ?? 10_000,
    normEpsilon: raw.rms_norm_eps,
    tiedEmbeddings: raw.tie_word_embeddings,
    attentionBias: family === 'qwen2' || raw.attention_bias,
    contextTokens: raw.max_position_embeddings,
    endOfSequence: [raw.eos_token_id ?? []].flat(),
  }
}

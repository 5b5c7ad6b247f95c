// llama2.c checkpoints (version 0, e.g. stories15M.bin): seven int32, then float32 tensors; converted to a Hugging Face folder.
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { UserError } from '../base/errors.ts'
import { readError, writeJson } from '../base/files.ts'
import { readBytes } from './safetensors.ts'
import type { TensorSource } from './safetensors-writer.ts'
import { writeWeights } from './weights.ts'

/** The checkpoint's header. */
export interface Llama2cConfig {
  width: number
  feedForwardWidth: number
  layers: number
  heads: number
  keyValueHeads: number
  vocabulary: number
  maxTokens: number
  /** The output head is the embedding table. */
  tied: boolean
}

const headerBytes = 28

/**
 * Converts a checkpoint to a Hugging Face Llama folder that exists (config.json, generation_config.json and
 * model.safetensors; the tokenizer is not in the checkpoint). `length` is the checkpoint's bytes where the file goes on.
 */
export async function convertLlama2c(file: string, folder: string, length?: number): Promise<Llama2cConfig> {
  const handle = await open(file).catch((error) => {
    throw readError(file, error)
  })
  try {
    const size = length ?? (await handle.stat()).size
    if (size < headerBytes) throw damaged(file, `it has ${size} bytes, too few for a header`)
    const config = checkHeader(file, new Int32Array(await readBytes(handle, file, 0, headerBytes)))
    const parts = layOut(config)
    const expected = headerBytes + 4 * parts.reduce((sum, part) => sum + part.repeat * product(part.shape), 0)
    if (size !== expected) throw damaged(file, `its header asks for ${expected} bytes, there are ${size}`)
    await writeWeights(
      folder,
      tensorSources(config, parts, (offset, bytes) => readBytes(handle, file, offset, bytes)),
    )
    await writeJson(join(folder, 'config.json'), hubConfig(config))
    await writeJson(join(folder, 'generation_config.json'), { bos_token_id: 1, eos_token_id: 2 })
    return config
  } finally {
    await handle.close()
  }
}

function checkHeader(file: string, header: Int32Array): Llama2cConfig {
  const [width, feedForwardWidth, layers, heads, keyValueHeads, vocabulary, maxTokens] = header as unknown as number[]
  const counts = [width, feedForwardWidth, layers, heads, keyValueHeads, vocabulary, maxTokens] as number[]
  // A negative vocabulary says that the head has a table of its own.
  if (counts.some((count, i) => count === 0 || (count < 0 && i !== 5) || Math.abs(count) > 1e7)) {
    throw damaged(file, `its header [${counts}] holds no possible sizes`)
  }
  const config: Llama2cConfig = {
    width: width as number,
    feedForwardWidth: feedForwardWidth as number,
    layers: layers as number,
    heads: heads as number,
    keyValueHeads: keyValueHeads as number,
    vocabulary: Math.abs(vocabulary as number),
    maxTokens: maxTokens as number,
    tied: (vocabulary as number) > 0,
  }
  if (config.width % (2 * config.heads) !== 0 || config.heads % config.keyValueHeads !== 0) {
    throw damaged(file, `its width ${config.width} and heads ${config.heads}/${config.keyValueHeads} do not divide`)
  }
  return config
}

/** A run of the file: `repeat` tensors of one shape, one a layer; without a name it is skipped. */
interface Part {
  name?: string
  shape: number[]
  repeat: number
  /** Heads whose rows are rotated. */
  rotatedHeads?: number
}

function layOut(c: Llama2cConfig): Part[] {
  const keyValueWidth = (c.width / c.heads) * c.keyValueHeads
  const layer = (name: string, ...shape: number[]): Part => ({
    name: `model.layers.*.${name}`,
    shape,
    repeat: c.layers,
  })
  return [
    { name: 'model.embed_tokens.weight', shape: [c.vocabulary, c.width], repeat: 1 },
    layer('input_layernorm.weight', c.width),
    { ...layer('self_attn.q_proj.weight', c.width, c.width), rotatedHeads: c.heads },
    { ...layer('self_attn.k_proj.weight', keyValueWidth, c.width), rotatedHeads: c.keyValueHeads },
    layer('self_attn.v_proj.weight', keyValueWidth, c.width),
    layer('self_attn.o_proj.weight', c.width, c.width),
    layer('post_attention_layernorm.weight', c.width),
    layer('mlp.gate_proj.weight', c.feedForwardWidth, c.width),
    layer('mlp.down_proj.weight', c.width, c.feedForwardWidth),
    layer('mlp.up_proj.weight', c.feedForwardWidth, c.width),
    { name: 'model.norm.weight', shape: [c.width], repeat: 1 },
    // Tables of cosines and sines, which follow from the configuration.
    { shape: [c.maxTokens, c.width / c.heads / 2], repeat: 2 },
    ...(c.tied ? [] : [{ name: 'lm_head.weight', shape: [c.vocabulary, c.width], repeat: 1 }]),
  ]
}

function tensorSources(
  config: Llama2cConfig,
  parts: Part[],
  read: (offset: number, bytes: number) => Promise<ArrayBuffer>,
): TensorSource[] {
  const sources: TensorSource[] = []
  let offset = headerBytes
  for (const { name, shape, repeat, rotatedHeads } of parts) {
    const bytes = 4 * product(shape)
    for (let i = 0; i < repeat; i++) {
      const start = offset + i * bytes
      if (name === undefined) continue
      sources.push({
        name: name.replace('*', String(i)),
        shape,
        read: async () => {
          const values = new Float32Array(await read(start, bytes))
          return rotatedHeads === undefined ? values : pairsToHalves(values, rotatedHeads, config.width)
        },
      })
    }
    offset += repeat * bytes
  }
  return sources
}

/** llama2.c rotates neighbouring rows (2i, 2i+1) of a head, Hugging Face rows (i, i + half): the rows change places. */
export function pairsToHalves(weight: Float32Array, heads: number, inputs: number): Float32Array {
  const rows = weight.length / inputs / heads
  const result = new Float32Array(weight.length)
  for (let head = 0; head < heads; head++) {
    for (let row = 0; row < rows; row++) {
      const from = head * rows + row
      const to = head * rows + (row % 2) * (rows / 2) + (row >> 1)
      result.set(weight.subarray(from * inputs, (from + 1) * inputs), to * inputs)
    }
  }
  return result
}

function hubConfig(c: Llama2cConfig): Record<string, unknown> {
  return {
    architectures: ['LlamaForCausalLM'],
    model_type: 'llama',
    hidden_size: c.width,
    intermediate_size: c.feedForwardWidth,
    num_hidden_layers: c.layers,
    num_attention_heads: c.heads,
    num_key_value_heads: c.keyValueHeads,
    head_dim: c.width / c.heads,
    vocab_size: c.vocabulary,
    max_position_embeddings: c.maxTokens,
    hidden_act: 'silu',
    rms_norm_eps: 1e-5,
    rope_theta: 10000,
    attention_bias: false,
    mlp_bias: false,
    tie_word_embeddings: c.tied,
    bos_token_id: 1,
    eos_token_id: 2,
    torch_dtype: 'float32',
  }
}

function product(shape: number[]): number {
  return shape.reduce((all, dim) => all * dim, 1)
}

function damaged(file: string, reason: string): UserError {
  return new UserError(`${file}: not a llama2.c checkpoint (version 0): ${reason}.`)
}

// config.json: what is read from real configurations, and what is refused with file, line and key.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { qwenShape as qwen } from '../../test/large-model.ts'
import { loadModelConfig } from './config.ts'
import { adapterShapes, weightShapes } from './weights.ts'

const { rope_theta: _, ...withoutTheta } = qwen
const llama = { ...qwen, model_type: 'llama', tie_word_embeddings: false, eos_token_id: [1, 2] }

const llama3 = {
  rope_type: 'llama3',
  factor: 32,
  low_freq_factor: 1,
  high_freq_factor: 4,
  original_max_position_embeddings: 8192,
}

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meikai-config-'))
})
afterAll(() => rm(folder, { recursive: true }))

async function load(config: object) {
  await writeFile(join(folder, 'config.json'), JSON.stringify(config, null, 2))
  return loadModelConfig(folder)
}

describe('loadModelConfig', () => {
  it("reads Qwen2.5-0.5B's shape, and counts its published 494,032,768 parameters", async () => {
    const config = await load(qwen)
    expect(config).toMatchObject({ family: 'qwen2', headWidth: 64, attentionBias: true, endOfSequence: [151_643] })
    const sizes = [...weightShapes(config).values()].map((shape) => shape.reduce((a, b) => a * b))
    expect(sizes.reduce((a, b) => a + b)).toBe(494_032_768)
  })

  it('reads Llama: no biases, a head of its own, several end tokens', async () => {
    const config = await load(llama)
    expect(config).toMatchObject({ attentionBias: false, tiedEmbeddings: false, endOfSequence: [1, 2] })
    expect(weightShapes(config).has('lm_head.weight')).toBe(true)
    expect([...weightShapes(config).keys()].some((name) => name.endsWith('.bias'))).toBe(false)
  })

  it('reads the rotary base where newer files put it', async () => {
    const config = await load({ ...withoutTheta, rope_parameters: { rope_type: 'default', rope_theta: 500_000 } })
    expect(config.rotaryBase).toBe(500_000)
  })

  it('reads Qwen3: heads normalised and of their own width, biases where it has them', async () => {
    const qwen3 = { ...qwen, model_type: 'qwen3', attention_bias: true }
    const config = await load(qwen3)
    expect(config).toMatchObject({ family: 'qwen3', headWidth: 128, headNorms: true, outputBias: true })
    const shapes = weightShapes(config)
    expect(shapes.get('model.layers.0.self_attn.q_norm.weight')).toEqual([128])
    expect(shapes.get('model.layers.23.self_attn.q_proj.weight')).toEqual([14 * 128, 896])
    expect([...shapes.keys()].filter((name) => name.endsWith('.bias'))).toHaveLength(24 * 4)
    const plain = await load({ ...qwen3, attention_bias: false, head_dim: 64 })
    expect(plain).toMatchObject({ headWidth: 64, attentionBias: false, outputBias: false })
  })

  it("reads Llama 3's scaled positions, in either spelling", async () => {
    const expected = { factor: 32, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalContextTokens: 8192 }
    for (const key of ['rope_scaling', 'rope_parameters']) {
      expect((await load({ ...llama, [key]: llama3 })).rotaryScaling).toEqual(expected)
    }
    expect((await load(llama)).rotaryScaling).toBeUndefined()
  })

  it.each([null, 32_768, 131_072])(
    'reads Mistral with sliding_window %j: no window within the context',
    async (window) => {
      const config = await load({ ...llama, model_type: 'mistral', sliding_window: window })
      expect(config).toMatchObject({ family: 'mistral', attentionBias: false, contextTokens: 32_768 })
    },
  )

  it.each([
    ['another architecture', { ...qwen, model_type: 'mamba' }, /config\.json:5: model_type: .*'mamba' is not known/],
    [
      'quantised',
      { ...qwen, quantization_config: { bits: 4 } },
      /quantization_config: .* quantised \(of an unnamed kind/,
    ],
    ['GPTQ', { ...qwen, quantization_config: { quant_method: 'gptq' } }, /the checkpoint is quantised \(GPTQ\)/],
    ['AWQ', { ...qwen, quantization_config: { quant_method: 'awq' } }, /the checkpoint is quantised \(AWQ\)/],
    ['NF4', { ...qwen, quantization_config: { quant_method: 'bitsandbytes' } }, /quantised \(bitsandbytes\)/],
    [
      'a sliding window',
      { ...qwen, use_sliding_window: true, sliding_window: 4096 },
      /json:19: sliding_window: .*4096/,
    ],
    [
      "Mistral's window",
      { ...llama, model_type: 'mistral', sliding_window: 4096 },
      /max_position_embeddings \(now 32768\)/,
    ],
    ["Mistral's unsaid window", { ...llama, model_type: 'mistral' }, /sliding_window: attention within .* 4096/],
    ['layers with a window', { ...qwen, layer_types: ['sliding_attention'], sliding_window: 99 }, /a window of 99/],
    ['another kind of layer', { ...qwen, layer_types: ['linear_attention'] }, /type 'linear_attention'/],
    ['yarn', { ...qwen, rope_scaling: { rope_type: 'yarn' } }, /rope_scaling: rotary positions scaled as 'yarn'/],
    ['linear scaling', { ...qwen, rope_scaling: { type: 'linear', factor: 2 } }, /scaled as 'linear'/],
    ['half of a scaling', { ...llama, rope_scaling: { rope_type: 'llama3', factor: 8 } }, /needs low_freq_factor/],
    ['a scaling turned round', { ...llama, rope_scaling: { ...llama3, low_freq_factor: 5 } }, /must be below/],
    ['partly rotated heads', { ...llama, rope_parameters: { partial_rotary_factor: 0.5 } }, /a part of each head/],
    ['heads that do not divide', { ...qwen, num_key_value_heads: 4 }, /14 heads do not divide among 4/],
    ['a wrong type', { ...qwen, hidden_size: 'wide' }, /config\.json:7.*hidden_size/],
    ['a missing key', { model_type: 'qwen2' }, /vocab_size/],
  ])('refuses %s', async (_, config, message) => {
    await expect(load(config)).rejects.toThrow(message)
  })
})

it("an adapter's tensors have PEFT's shapes", async () => {
  const shapes = adapterShapes(await load(qwen), { rank: 8, alpha: 16, targetModules: ['k_proj', 'down_proj'] })
  expect(shapes.size).toBe(24 * 4)
  expect(shapes.get('model.layers.3.self_attn.k_proj.lora_A.weight')).toEqual([8, 896])
  expect(shapes.get('model.layers.3.self_attn.k_proj.lora_B.weight')).toEqual([128, 8])
  expect(shapes.get('model.layers.23.mlp.down_proj.lora_A.weight')).toEqual([8, 4864])
})

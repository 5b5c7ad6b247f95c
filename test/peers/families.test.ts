// Every family, from files that transformers wrote: logits and every weight's gradient against PyTorch's, short and long.
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Random } from '../../src/base/random.ts'
import { Learner } from '../../src/engine/embedded/learner.ts'
import { readSafetensorsHeader, readTensor } from '../../src/formats/safetensors.ts'
import { openCheckpoint } from '../../src/model/checkpoint.ts'
import { loadModelConfig } from '../../src/model/config.ts'
import { makeBatch } from '../../src/training/batch.ts'
import { nextTokenWeights } from '../../src/training/objective.ts'
import { gradientOutput } from '../../src/training/step-graph.ts'
import { cutRows } from '../document-rows.ts'
import { openForward } from '../forward.ts'
import { differenceOverNorm, largestDifference } from './differences.ts'
import { runPeer } from './peer.ts'
import { smallShape } from './shapes.ts'

const longest = smallShape.max_position_embeddings
/** Llama 3.2's scaling, over a shorter context so that all three of its stretches occur. */
const llama3 = {
  rope_type: 'llama3',
  rope_theta: 500_000,
  factor: 32,
  low_freq_factor: 1,
  high_freq_factor: 4,
  original_max_position_embeddings: 512,
}
const ordinary = (base: number) => ({ rope_type: 'default', rope_theta: base })

const families: Record<string, { config: object; dtype?: string; shard_bytes?: number }> = {
  'Qwen2, tied, grouped': { config: { model_type: 'qwen2', tie_word_embeddings: true } },
  'Qwen2.5, untied, bf16 in shards': {
    config: { model_type: 'qwen2', rope_parameters: ordinary(1_000_000) },
    dtype: 'bfloat16',
    shard_bytes: 2_000_000,
  },
  'Qwen3, tied, wide heads, float16 in shards': {
    config: { model_type: 'qwen3', tie_word_embeddings: true, head_dim: 96, rope_parameters: ordinary(1_000_000) },
    dtype: 'float16',
    shard_bytes: 2_000_000,
  },
  'Qwen3, untied, biased': { config: { model_type: 'qwen3', head_dim: 32, attention_bias: true } },
  'Llama 2, heads of their own, float32 in shards': {
    config: { model_type: 'llama', num_key_value_heads: 4, rms_norm_eps: 1e-5 },
    shard_bytes: 4_000_000,
  },
  'Llama 3, scaled positions, tied, bf16': {
    config: { model_type: 'llama', tie_word_embeddings: true, rope_parameters: llama3 },
    dtype: 'bfloat16',
  },
  'Llama, all biases': { config: { model_type: 'llama', attention_bias: true, mlp_bias: true } },
  'Mistral, no window, float16': { config: { model_type: 'mistral', sliding_window: null }, dtype: 'float16' },
  'Mistral, a window as long as the context': { config: { model_type: 'mistral', sliding_window: longest } },
}

const random = new Random(1, 'families')
const drawTokens = (count: number) => Array.from({ length: count }, () => random.integer(smallShape.vocab_size))
const inputs = { short: drawTokens(37), long: drawTokens(longest) }

const root = await mkdtemp(join(tmpdir(), 'meikai-families-'))
const found: Record<string, Record<string, string>> = {}
afterAll(() => {
  console.table(found)
  return rm(root, { recursive: true })
})
const folderOf = (family: string) => join(root, family.replaceAll(/\W+/g, '-'))

beforeAll(async () => {
  const make = Object.entries(families).map(([name, { config, ...storage }], seed) => {
    return { folder: folderOf(name), config: { ...smallShape, ...config }, seed, ...storage }
  })
  await runPeer('models.py', { make, folders: Object.fromEntries(make.map(({ folder }) => [folder, inputs])) })
})

describe.each(Object.keys(families))('%s', (family) => {
  const folder = folderOf(family)

  it('is stored as the test means it', async () => {
    const { dtype = 'float32', shard_bytes } = families[family]!
    const shards = (await readdir(folder)).filter((file) => /^model.*\.safetensors$/.test(file))
    expect(shards.length > 1).toBe(shard_bytes !== undefined)
    const { tensors } = await readSafetensorsHeader(join(folder, shards[0]!))
    const types = new Set([...tensors.values()].map((tensor) => tensor.dtype))
    expect([...types]).toEqual([{ float32: 'F32', bfloat16: 'BF16', float16: 'F16' }[dtype]])
  })

  it.each(Object.entries(inputs))('logits of a %s input', async (name, tokens) => {
    const forward = await openForward({ folder }, longest)
    const { logits } = await forward.run(tokens)
    await forward.close()
    const expected = await openResult(folder, name)
    const difference = largestDifference(logits, await expected('logits'))
    found[family] = { ...found[family], [`logits, ${name}`]: difference.toExponential(1) }
    expect(difference).toBeLessThan(1e-4)
  })

  it.each(Object.entries(inputs))("every weight's gradient of a %s input", async (name, tokens) => {
    const checkpoint = await openCheckpoint({ folder }, longest)
    const graphs = { step: true, forward: false }
    const learning = { kind: 'full' as const }
    const learner = await Learner.compile({ checkpoint, learning, positions: longest, chunk: 0, threads: 2, graphs })
    for (const segment of learner.segments) learner.view(segment.name).set(await checkpoint.read(segment.name))
    const batch = makeBatch(cutRows({ id: 'a', tokens, lossFrom: 1 }, longest).map(({ row }) => row))
    await learner.differentiate(
      batch,
      nextTokenWeights(batch.predictions, batch.targets.length, batch.predictions),
      false,
    )
    await learner.release()

    const expected = await openResult(folder, name)
    expect(learner.segments.length).toBeGreaterThan(9 * (await loadModelConfig(folder)).layers)
    const worst = { name: '', difference: 0 }
    for (const { name, offset, size } of learner.segments) {
      const gradient = learner.gradient.subarray(offset, offset + size)
      const difference = differenceOverNorm(gradient, await expected(gradientOutput(name)))
      if (difference > worst.difference) Object.assign(worst, { name, difference })
    }
    found[family] = { ...found[family], [`gradient, ${name}`]: worst.difference.toExponential(1) }
    expect(worst.difference, worst.name).toBeLessThan(1e-3)
    expect(worst.difference).toBeGreaterThan(0) // two different computations
  })
})

/** Reads tensors of what the peer wrote for an input. */
async function openResult(folder: string, name: string): Promise<(tensor: string) => Promise<Float32Array>> {
  const { tensors } = await readSafetensorsHeader(join(folder, `${name}.safetensors`))
  return (tensor) => readTensor(tensors.get(tensor)!)
}

// What the embedded sampler writes equals the model's forward pass, and does not depend on what else is in the batch.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Random } from '../src/base/random.ts'
import type { ModelReference } from '../src/engine/engine.ts'
import type { Precision } from '../src/model/checkpoint.ts'
import { openLocalSampler } from '../src/sampler/embedded/local.ts'
import { collect } from '../src/sampler/sampler.contract.ts'
import type { SampleRequest, Sampler } from '../src/sampler/sampler.ts'
import { type Forward, openForward } from './forward.ts'
import { writeSmallAdapter, writeSmallModel } from './small-model.ts'

const root = mkdtempSync(join(tmpdir(), 'meikai-equivalence-'))
afterAll(() => rmSync(root, { recursive: true }))

const longPrompt = (length: number, key: string) => {
  const random = new Random(3, key)
  return Array.from({ length }, () => 2 + random.integer(1000))
}

/** Prompts of one token to more than is computed in one run, some sampled several times. */
const requests: SampleRequest[] = [1, 2, 17, 33, 40, 64, 65, 300, 5].map((length, i) => ({
  id: `q${i}`,
  prompt: longPrompt(length, `q${i}`),
  samples: [1, 5, 2][i % 3]!,
}))

const scaledLlama = {
  model_type: 'llama',
  attention_bias: true,
  mlp_bias: true,
  rope_scaling: {
    rope_type: 'llama3',
    factor: 8,
    low_freq_factor: 1,
    high_freq_factor: 4,
    original_max_position_embeddings: 128,
  },
}

interface Case {
  shape: object
  adapter: boolean
  base?: 'nf4'
  precision?: Precision
}

const models: Record<string, Case> = {
  'grouped heads': { shape: {}, adapter: false },
  'an adapter': { shape: {}, adapter: true },
  'heads of their own, untied': {
    shape: { model_type: 'llama', num_key_value_heads: 4, tie_word_embeddings: false },
    adapter: false,
  },
  'heads normalised': { shape: { model_type: 'qwen3', head_dim: 48 }, adapter: false },
  'biases and scaled positions': { shape: scaledLlama, adapter: true },
  'Mistral, a window it never fills': { shape: { model_type: 'mistral', sliding_window: 4096 }, adapter: false },
  'an adapter on a base in NF4': { shape: {}, adapter: true, base: 'nf4' },
  'an adapter, 8-bit products': { shape: {}, adapter: true, precision: 'int8' },
  'heads of their own, untied, 8-bit products': {
    shape: { model_type: 'llama', num_key_value_heads: 4, tie_word_embeddings: false },
    adapter: false,
    precision: 'int8',
  },
  'one key-value head, wide': { shape: { num_key_value_heads: 1, head_dim: 64 }, adapter: false },
}

describe.each(Object.entries(models))('with %s', (name, { shape, adapter, precision = 'float32', ...held }: Case) => {
  const folder = join(root, name.replaceAll(/\W/g, '-'))
  const model: ModelReference = { ...held, ...(adapter ? { folder, adapter: `${folder}-adapter` } : { folder }) }
  let sampler: Sampler
  let forward: Forward
  beforeAll(async () => {
    const config = await writeSmallModel(folder, { ...shape, max_position_embeddings: 400 })
    if (adapter) await writeSmallAdapter(`${folder}-adapter`, config)
    sampler = await openLocalSampler(model, { threads: 2, sequences: 12, precision })
    forward = await openForward(model, 512, precision)
  })
  afterAll(async () => {
    await sampler.close()
    await forward.close()
  })

  it('log-probabilities are those of the forward pass', async () => {
    const completions = await collect(sampler, requests, { maxTokens: 40, temperature: 0.8 })
    expect(completions).toHaveLength(24)
    const differences: number[] = []
    for (const { id, tokens, logProbabilities } of completions) {
      const prompt = requests.find((request) => request.id === id)!.prompt as number[]
      const expected = (await forward.run([...prompt, ...tokens])).logProbabilities
      tokens.forEach((_, i) => {
        differences.push(Math.abs(logProbabilities[i]! - expected[prompt.length - 1 + i]!))
      })
    }
    differences.sort((a, b) => a - b)
    const worst = differences.at(-1)!
    expect(worst).toBeGreaterThan(0) // two different computations
    if (precision === 'float32') expect(worst).toBeLessThan(1e-4)
    else {
      // An activation beside the border of two codes may take the other one, and then all that follows from it differs.
      expect(differences[Math.floor(differences.length / 2)]).toBeLessThan(1e-5)
      expect(worst).toBeLessThan(0.2)
    }
  })

  it('greedy tokens are the likeliest of the forward pass', async () => {
    const some = requests.filter((_, i) => i % 4 === 0)
    let others = 0
    for (const { id, tokens } of await collect(sampler, some, { maxTokens: 20, temperature: 0 })) {
      const prompt = some.find((request) => request.id === id)!.prompt as number[]
      const { logits } = await forward.run([...prompt, ...tokens])
      const size = logits.length / (prompt.length + tokens.length)
      tokens.forEach((token, i) => {
        const row = logits.subarray((prompt.length - 1 + i) * size, (prompt.length + i) * size)
        const largest = Math.max(...row)
        if (row.indexOf(largest) === token) return
        others++
        expect(largest - row[token]!).toBeLessThan(0.1)
      })
    }
    expect(others).toBeLessThanOrEqual(precision === 'int8' ? 2 : 0) // near ties
  })

  it('a sample alone and in a crowd has the same bits', async () => {
    const settings = { maxTokens: 40, temperature: 0.9 }
    const crowd = await collect(sampler, requests, settings)
    for (const request of requests.filter((_, i) => i % 2 === 1)) {
      expect(await collect(sampler, [request], settings)).toEqual(crowd.filter(({ id }) => id === request.id))
    }
    // One sample a prompt, so that each prompt has a batch shape of its own; and one sequence at a time.
    const first = requests.map((request) => ({ ...request, samples: 1 }))
    expect(await collect(sampler, first, settings)).toEqual(crowd.filter(({ sample }) => sample === 0))
    const narrow = await openLocalSampler(model, { threads: 2, sequences: 1, precision })
    expect(await collect(narrow, requests.slice(0, 2), settings)).toEqual(crowd.filter(({ id }) => id < 'q2'))
    await narrow.close()
  })

  it('samples that share their prompt equal samples that do not', async () => {
    const prompt = longPrompt(45, 'shared')
    const [shared] = await collect(sampler, [{ id: 'a', prompt, samples: 6 }], { temperature: 0, maxTokens: 20 })
    const apart = await collect(
      sampler,
      ['b', 'c', 'd'].map((id) => ({ id, prompt, samples: 1 })),
      { temperature: 0, maxTokens: 20 },
    )
    for (const { tokens, logProbabilities } of apart) {
      expect({ tokens, logProbabilities }).toEqual({
        tokens: shared!.tokens,
        logProbabilities: shared!.logProbabilities,
      })
    }
  })

  it('ends at the context', async () => {
    const prompt = longPrompt(394, 'nearly full')
    const [only] = await collect(sampler, [{ id: 'a', prompt, samples: 1 }], { temperature: 0, maxTokens: 50 })
    expect(only).toMatchObject({ finishReason: 'length', tokens: { length: 6 } })
  })
})

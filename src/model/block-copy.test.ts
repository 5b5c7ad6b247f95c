// Copies with 8-bit products: what is in them, what they stand for, and when they are made anew.
import { mkdtemp, readdir, readFile, rm, utimes } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { writeSmallModel } from '../../test/small-model.ts'
import { dequantiseBlocks } from '../formats/block-integers.ts'
import { roundToNf4 } from '../formats/nf4.ts'
import { readTensor, type StoredTensor } from '../formats/safetensors.ts'
import { openWeights } from '../formats/weights.ts'
import { copyInBlocks } from './block-copy.ts'
import type { ModelConfig } from './config.ts'
import { blockLength, blockNames, embeddingName, layerName, quantisedShapes } from './weights.ts'

let folder: string
let config: ModelConfig
let tensors: ReadonlyMap<string, StoredTensor>
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meikai-block-copy-'))
  config = await writeSmallModel(join(folder, 'model'), { num_hidden_layers: 1 })
  tensors = (await openWeights(join(folder, 'model'))).tensors
})
afterAll(() => rm(folder, { recursive: true }))

const copy = (base: 'float32' | 'nf4', cache: string) => copyInBlocks(config, tensors, base, join(folder, cache), 0)

async function readBlocks(stored: ReadonlyMap<string, StoredTensor>, weight: string): Promise<Float32Array> {
  const names = blockNames(weight)
  const { file, offset, bytes } = stored.get(names.codes)!
  const codes = Uint8Array.from((await readFile(file)).subarray(offset, offset + bytes))
  const scales = await readTensor(stored.get(names.scales)!)
  return dequantiseBlocks({ codes, scales }, tensors.get(weight)!.shape[1]!, blockLength)
}

/** The largest difference, as a share of the largest magnitude. */
function farthest(found: Float32Array, wanted: Float32Array): number {
  const most = wanted.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0)
  return found.reduce((largest, value, i) => Math.max(largest, Math.abs(value - wanted[i]!)), 0) / most
}

it('hold layers and head in blocks, and everything else as it is, the table of a tied head too', async () => {
  const { stored } = await copy('float32', 'plain')
  const products = [...quantisedShapes(config).keys(), embeddingName]
  const inBlocks = products.flatMap((name) => Object.values(blockNames(name)))
  const others = [...tensors.keys()].filter((name) => name === embeddingName || !products.includes(name))
  expect([...stored!.keys()].sort()).toEqual([...inBlocks, ...others].sort())
  for (const name of others) expect(await readTensor(stored!.get(name)!)).toEqual(await readTensor(tensors.get(name)!))
  for (const name of products) {
    const found = farthest(await readBlocks(stored!, name), await readTensor(tensors.get(name)!))
    expect(found).toBeGreaterThan(0)
    expect(found).toBeLessThan(0.5 / 126)
  }
})

it('stand for what the codes of a base in NF4 stand for', async () => {
  const { stored } = await copy('nf4', 'nf4')
  const name = `${layerName(0, 'up_proj')}.weight`
  const raw = await readTensor(tensors.get(name)!)
  expect(farthest(await readBlocks(stored!, name), roundToNf4(raw))).toBeLessThan(0.5 / 126)
  expect(farthest(await readBlocks(stored!, name), raw)).toBeGreaterThan(0.02)
})

it('are kept until the model changes, each base on its own', async () => {
  const count = async () =>
    (await readdir(join(folder, 'kept'), { recursive: true })).filter((file) => file.endsWith('.safetensors')).length
  await copy('float32', 'kept')
  await copy('float32', 'kept')
  expect(await count()).toBe(1)
  await copy('nf4', 'kept')
  expect(await count()).toBe(2)
  await utimes(tensors.get(embeddingName)!.file, 1, 1)
  await copy('float32', 'kept')
  expect(await count()).toBe(3)
})

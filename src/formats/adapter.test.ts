// PEFT adapter folders: written, read, merged by hand-derived numbers; everything that is not plain LoRA refused.
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readJson, writeJson } from '../base/files.ts'
import { mergeAdapter } from '../engine/merging/merge.ts'
import { adapterScale, openAdapter, readAdapter, writeAdapter } from './adapter.ts'
import { writeSafetensors } from './safetensors-writer.ts'
import { openWeights, readWeight, writeWeights } from './weights.ts'

const query = 'model.layers.0.self_attn.q_proj.weight'
const config = { rank: 2, alpha: 4, targetModules: ['q_proj'], baseModel: 'base' }
// A [2, 3], B [2, 2]: B·A = [[1, 2, 3], [4, 7, 10]], scaled by 4 / 2.
const a = new Float32Array([1, 2, 3, 2, 3, 4])
const b = new Float32Array([1, 0, 2, 1])
const layers = [{ weight: query, inputs: 3, outputs: 2, a, b }]

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meikai-adapter-'))
})
afterAll(() => rm(folder, { recursive: true }))

async function freshAdapter(change: object = {}): Promise<string> {
  const path = await mkdtemp(join(folder, 'adapter-'))
  await writeAdapter(path, config, layers)
  const file = join(path, 'adapter_config.json')
  await writeJson(file, { ...((await readJson(file)) as object), ...change })
  return path
}

describe('PEFT adapters', () => {
  it('reads back what it wrote', async () => {
    const adapter = await openAdapter(await freshAdapter())
    expect(adapter.config).toEqual({ ...config, rankStabilised: false })
    expect(await readAdapter(adapter)).toEqual(new Map([[query, { a, b }]]))
    expect(adapter.layers.get(query)?.a.name).toBe('base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight')
  })

  it.each([
    [{ peft_type: 'IA3' }, /peft_type is "IA3"/],
    [{ use_dora: true }, /use_dora/],
    [{ bias: 'all' }, /bias/],
    [{ rank_pattern: { q_proj: 8 } }, /rank_pattern/],
    [{ r: 0 }, /r must be/],
    [{ r: 3 }, /do not fit rank 3/],
    [{ lora_alpha: 'x' }, /lora_alpha/],
    [{ use_rslora: 'yes' }, /use_rslora must be/],
    [{ init_lora_weights: 'pissa_niter_4' }, /init_lora_weights is "pissa_niter_4": such an adapter stands on changed/],
    [{ alora_invocation_tokens: [7] }, /alora_invocation_tokens/],
  ])('refuses %j', async (change, message) => {
    await expect(openAdapter(await freshAdapter(change))).rejects.toThrow(message)
  })

  it.each(['.*attn.(q|v)_proj', ['self_attn.q_proj'], 'all-linear'])(
    'reads target_modules %j from the tensors',
    async (target_modules) => {
      expect((await openAdapter(await freshAdapter({ target_modules }))).config.targetModules).toEqual(['q_proj'])
    },
  )

  it('scales by alpha / rank, or by alpha / sqrt(rank) where rank-stabilised', async () => {
    expect(adapterScale({ rank: 16, alpha: 32 })).toBe(2)
    const { config: found } = await openAdapter(await freshAdapter({ use_rslora: true, r: 2, lora_alpha: 4 }))
    expect(found.rankStabilised).toBe(true)
    expect(adapterScale(found)).toBeCloseTo(4 / Math.SQRT2, 12)
  })

  it('refuses half a layer, foreign tensors and a pickle', async () => {
    const half = await freshAdapter()
    const file = join(half, 'adapter_model.safetensors')
    await writeSafetensors(file, [
      { name: 'base_model.model.x.lora_A.weight', shape: [2, 1], read: () => new Float32Array(2) },
    ])
    await expect(openAdapter(half)).rejects.toThrow('x has lora_A but no lora_B')
    await writeSafetensors(file, [{ name: 'lm_head.weight', shape: [1], read: () => new Float32Array(1) }])
    await expect(openAdapter(half)).rejects.toThrow('lm_head.weight is no part')
    await rm(file)
    await writeFile(join(half, 'adapter_model.bin'), 'PK')
    await expect(openAdapter(half)).rejects.toThrow('pickle')
  })

  it('merges: weight + alpha / rank x B·A, other tensors and files as they were', async () => {
    const model = join(folder, 'model')
    await writeWeights(model, [
      { name: query, shape: [2, 3], read: () => new Float32Array([10, 10, 10, 20, 20, 20]) },
      { name: 'model.norm.weight', shape: [3], read: () => new Float32Array([1, 2, 3]) },
    ])
    await writeFile(join(model, 'config.json'), '{"a":1}')
    const merged = join(folder, 'merged')
    await mkdir(merged)
    await writeFile(join(merged, 'stale'), '')
    await mergeAdapter(model, await freshAdapter(), merged)
    expect((await readdir(merged)).sort()).toEqual(['config.json', 'model.safetensors'])
    const weights = await openWeights(merged)
    expect([...(await readWeight(weights, query, [2, 3]))]).toEqual([12, 14, 16, 28, 34, 40])
    expect([...(await readWeight(weights, 'model.norm.weight', [3]))]).toEqual([1, 2, 3])
  })

  it('says in the configuration that the merged weights are float32', async () => {
    expect(await readJson(join(folder, 'merged', 'config.json'))).toEqual({ a: 1, torch_dtype: 'float32' })
  })

  it('refuses to merge into another model, and leaves no folder behind', async () => {
    const model = join(folder, 'other-model')
    await writeWeights(model, [{ name: query, shape: [3, 2], read: () => new Float32Array(6) }])
    const target = join(folder, 'never')
    await expect(mergeAdapter(model, await freshAdapter(), target)).rejects.toThrow('belongs to another model')
    expect((await readdir(folder)).filter((name) => name.startsWith('never'))).toEqual([])
  })
})

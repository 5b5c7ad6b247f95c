// LoRA adapters both ways: those that PEFT writes give its logits here, those that meikai writes load in PEFT and give ours.
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Random } from '../../src/base/random.ts'
import { mergeAdapter } from '../../src/engine/merging/merge.ts'
import { openAdapter } from '../../src/formats/adapter.ts'
import { readSafetensorsHeader, readTensor } from '../../src/formats/safetensors.ts'
import { loadModelConfig } from '../../src/model/config.ts'
import { linearLayers } from '../../src/model/weights.ts'
import { openForward } from '../forward.ts'
import { writeSmallAdapter } from '../small-model.ts'
import { largestDifference } from './differences.ts'
import { runPeer } from './peer.ts'
import { smallShape } from './shapes.ts'

const every = Object.keys(linearLayers)
const root = await mkdtemp(join(tmpdir(), 'meikai-adapters-'))
afterAll(() => rm(root, { recursive: true }))
const models = { qwen2: join(root, 'qwen2'), qwen3: join(root, 'qwen3'), llama: join(root, 'llama') }
const random = new Random(1, 'adapters')
const tokens = Array.from({ length: 50 }, () => random.integer(smallShape.vocab_size))

/** Adapters that PEFT writes, by its own settings, with what they are here. */
const theirs = {
  'every layer': {
    model: models.qwen2,
    settings: { r: 8, lora_alpha: 16, target_modules: 'all-linear' },
    expected: { rank: 8, alpha: 16, rankStabilised: false, targetModules: every },
  },
  'rank-stabilised, with dropout': {
    model: models.qwen3,
    settings: { r: 16, lora_alpha: 8, use_rslora: true, lora_dropout: 0.3, target_modules: ['q_proj', 'k_proj'] },
    expected: { rank: 16, alpha: 8, rankStabilised: true, targetModules: ['q_proj', 'k_proj'] },
  },
  'a pattern, rank 1': {
    model: models.llama,
    settings: { r: 1, lora_alpha: 3, target_modules: '.*mlp\\.(up|down)_proj' },
    expected: { rank: 1, alpha: 3, rankStabilised: false, targetModules: ['up_proj', 'down_proj'] },
  },
}
/** Adapters that meikai writes. */
const ours = {
  'a few layers': {
    model: models.qwen2,
    lora: { rank: 4, alpha: 8, targetModules: ['q_proj', 'v_proj', 'down_proj'] },
  },
  'every layer, rank-stabilised': {
    model: models.llama,
    lora: { rank: 9, alpha: 12, rankStabilised: true, targetModules: every },
  },
}
const folderOf = (name: string) => join(root, `adapter-${name.replaceAll(/\W+/g, '-')}`)

beforeAll(async () => {
  await runPeer('models.py', {
    make: Object.entries(models).map(([model_type, folder]) => {
      return { folder, config: { ...smallShape, model_type, ...(model_type === 'llama' && { mlp_bias: true }) } }
    }),
    adapters: Object.entries(theirs).map(([name, { model, settings }]) => {
      return { model, folder: folderOf(name), ...settings }
    }),
  })
  for (const [name, { model, lora }] of Object.entries(ours)) {
    await mkdir(folderOf(name))
    await writeSmallAdapter(folderOf(name), await loadModelConfig(model), lora)
  }
  const adapted = Object.entries({ ...theirs, ...ours }).map(([name, { model }]) => [folderOf(name), model])
  await runPeer('models.py', { adapted: Object.fromEntries(adapted), tokens })
})

describe.each([...Object.entries(theirs), ...Object.entries(ours)])('%s', (name, { model }) => {
  const adapter = folderOf(name)

  it('gives the logits of PEFT, and others than the model alone', async () => {
    const [withAdapter, alone] = [await logitsOf(model, adapter), await logitsOf(model)]
    const expected = await expectedLogits(adapter)
    expect(largestDifference(withAdapter, expected)).toBeLessThan(1e-4)
    expect(largestDifference(alone, expected)).toBeGreaterThan(1e-2)
  })

  it('gives them merged too', async () => {
    const merged = join(root, `merged-${name}`)
    await mergeAdapter(model, adapter, merged)
    expect(largestDifference(await logitsOf(merged), await expectedLogits(adapter))).toBeLessThan(1e-4)
  })
})

it.each(Object.entries(theirs))('reads the settings of %s', async (name, { expected }) => {
  const { config } = await openAdapter(folderOf(name))
  expect({ ...config, targetModules: config.targetModules.toSorted() }).toMatchObject({
    ...expected,
    targetModules: expected.targetModules.toSorted(),
  })
})

async function logitsOf(folder: string, adapter?: string): Promise<Float32Array> {
  const forward = await openForward({ folder, ...(adapter && { adapter }) })
  const { logits } = await forward.run(tokens)
  await forward.close()
  return logits
}

async function expectedLogits(adapter: string): Promise<Float32Array> {
  const { tensors } = await readSafetensorsHeader(join(adapter, 'result.safetensors'))
  return readTensor(tensors.get('logits')!)
}

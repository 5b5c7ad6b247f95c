// A model of Qwen2.5-0.5B's shape with random weights, in bf16 shards as models are released: logits and LoRA gradients against
// transformers and PEFT, memory bounded.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { Random } from '../../src/base/random.ts'
import { Learner } from '../../src/engine/embedded/learner.ts'
import { readSafetensorsHeader, readTensor } from '../../src/formats/safetensors.ts'
import { headChunk, openCheckpoint } from '../../src/model/checkpoint.ts'
import { linearLayers } from '../../src/model/weights.ts'
import { makeBatch } from '../../src/training/batch.ts'
import { nextTokenWeights } from '../../src/training/objective.ts'
import { gradientOutput } from '../../src/training/step-graph.ts'
import { cutRows } from '../document-rows.ts'
import { openForward } from '../forward.ts'
import { qwenShape } from '../large-model.ts'
import { differenceOverNorm, largestDifference } from './differences.ts'
import { runPeer } from './peer.ts'

const { rope_theta, ...rest } = qwenShape
/** As transformers names the rotary embedding now. */
const peerConfig = { ...rest, rope_parameters: { rope_type: 'default', rope_theta } }
/** As float32: 494 million weights. */
const weightBytes = 4 * 494_032_768
/** Two blocks of attention. */
const positions = 300
const random = new Random(1, 'large model')
const tokens = Array.from({ length: positions }, () => random.integer(qwenShape.vocab_size))

const root = await mkdtemp(join(tmpdir(), 'meikai-large-'))
const [folder, adapter] = [join(root, 'model'), join(root, 'adapter')]
let expected: (tensor: string) => Promise<Float32Array>
beforeAll(async () => {
  vi.stubEnv('XDG_CACHE_HOME', join(root, 'cache'))
  await runPeer('models.py', {
    make: [{ folder, config: peerConfig, dtype: 'bfloat16', shard_bytes: 600_000_000 }],
    adapters: [{ model: folder, folder: adapter, r: 16, lora_alpha: 32, target_modules: Object.keys(linearLayers) }],
    adapted: { [adapter]: folder },
    tokens,
  })
  const { tensors } = await readSafetensorsHeader(join(adapter, 'result.safetensors'))
  expected = (tensor) => readTensor(tensors.get(tensor)!)
})
afterAll(() => rm(root, { recursive: true }))

it('gives the logits of transformers with PEFT', async () => {
  const forward = await openForward({ folder, adapter }, positions)
  const { logits } = await forward.run(tokens)
  await forward.close()
  const difference = largestDifference(logits, await expected('logits'))
  console.log(`logits: ${difference.toExponential(1)}`)
  expect(difference).toBeLessThan(1e-4)
})

it("gives every adapter's gradient", async () => {
  const checkpoint = await openCheckpoint({ folder, adapter }, positions)
  const learner = await Learner.compile({
    checkpoint,
    learning: { kind: 'lora', lora: checkpoint.lora! },
    positions,
    chunk: headChunk(checkpoint.config),
    threads: 2,
    graphs: { step: true, forward: false },
  })
  for (const { name } of learner.segments) learner.view(name).set(await checkpoint.read(name))
  const batch = makeBatch(
    cutRows({ id: 'a', tokens, lossFrom: 1 }, positions).map(({ row }) => row),
    headChunk(checkpoint.config),
  )
  const weights = nextTokenWeights(batch.predictions, batch.targets.length, batch.predictions)
  await learner.differentiate(batch, weights, false)
  await learner.release()
  const differences: number[] = []
  for (const { name, offset, size } of learner.segments) {
    const gradient = learner.gradient.subarray(offset, offset + size)
    differences.push(differenceOverNorm(gradient, await expected(gradientOutput(name))))
  }
  console.log(`gradients of ${differences.length} factors: ${Math.max(...differences).toExponential(1)} at most`)
  expect(differences).toHaveLength(2 * 7 * qwenShape.num_hidden_layers)
  expect(Math.max(...differences)).toBeLessThan(1e-3)
})

it('holds the weights once', () => {
  const peak = process.resourceUsage().maxRSS * 1024
  console.log(`peak memory ${(peak / 1e9).toFixed(2)} GB, weights as float32 ${(weightBytes / 1e9).toFixed(2)} GB`)
  // As they lie in their file; the largest of them again, to be widened; activations, logits and the runtime on top.
  expect(peak).toBeLessThan(weightBytes + 2.5e9)
})

// Dropout of adapters equals PEFT's where both leave out the same entries: log-probabilities and every factor's gradient.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { Random } from '../../src/base/random.ts'
import { Learner } from '../../src/engine/embedded/learner.ts'
import { readSafetensorsHeader, readTensor } from '../../src/formats/safetensors.ts'
import { writeSafetensors } from '../../src/formats/safetensors-writer.ts'
import { dropoutMultiplier, dropoutThreshold } from '../../src/graph/dropout.ts'
import { openCheckpoint } from '../../src/model/checkpoint.ts'
import { layerName, noiseWidth } from '../../src/model/weights.ts'
import { makeBatch } from '../../src/training/batch.ts'
import { nextTokenWeights } from '../../src/training/objective.ts'
import { cutRows } from '../document-rows.ts'
import { differenceOverNorm, largestDifference } from './differences.ts'
import { runPeer } from './peer.ts'
import { smallShape } from './shapes.ts'

const root = await mkdtemp(join(tmpdir(), 'meikai-dropout-'))
afterAll(() => rm(root, { recursive: true }))

it("gives PEFT's log-probabilities and gradients", async () => {
  const [model, adapter, noise] = ['model', 'adapter', 'noise.safetensors'].map((name) => join(root, name)) as [
    string,
    string,
    string,
  ]
  const [share, modules] = [0.3, ['q_proj', 'o_proj', 'down_proj'] as const]
  const settings = { r: 8, lora_alpha: 16, lora_dropout: share, target_modules: modules }
  await runPeer('models.py', {
    make: [{ folder: model, config: { ...smallShape, model_type: 'qwen3' } }],
    adapters: [{ model, folder: adapter, ...settings }],
  })
  const random = new Random(1, 'dropout')
  const tokens = Array.from({ length: 60 }, () => random.integer(smallShape.vocab_size))

  const checkpoint = await openCheckpoint({ folder: model, adapter }, 64)
  const lora = checkpoint.lora!
  const learner = await Learner.compile({
    checkpoint,
    learning: { kind: 'lora', lora },
    dropout: share,
    positions: 64,
    chunk: 0,
    threads: 1,
    graphs: { step: true, forward: false },
  })
  for (const { name } of learner.segments) learner.view(name).set(await checkpoint.read(name))
  const batch = makeBatch(cutRows({ id: 'a', tokens, lossFrom: 1 }, 64).map(({ row }) => row))
  const weights = nextTokenWeights(batch.predictions, batch.targets.length, batch.predictions)
  const logProbabilities = await learner.differentiate(batch, weights, false, new Random(2, 'noise'))
  await learner.release()

  // The same noise for the peer: safetensors of ours hold float32, so its bits travel as such.
  const bits = new Random(2, 'noise').fillBits(new Int32Array(batch.tokens * noiseWidth(checkpoint.config, lora)))
  const tensor = { name: 'bits', shape: [bits.length], read: () => new Float32Array(bits.buffer) }
  await writeSafetensors(noise, [tensor])
  const layers = Array.from({ length: smallShape.num_hidden_layers }, (_, layer) => layer)
  const names = layers.flatMap((layer) => modules.map((module) => layerName(layer, module)))
  const multipliers = Object.fromEntries(names.map((name) => [name, dropoutMultiplier(name)]))
  const threshold = dropoutThreshold(share)
  const reply = await runPeer('dropout.py', { model, adapter, noise, tokens, share, threshold, multipliers })
  expect(reply).toEqual({ replaced: names.length })

  const { tensors } = await readSafetensorsHeader(join(adapter, 'dropout.safetensors'))
  expect(tensors.size).toBe(learner.segments.length + 1)
  const expected = (name: string) => readTensor(tensors.get(name)!)
  expect(largestDifference(logProbabilities, await expected('logProbabilities'))).toBeLessThan(1e-4)
  for (const { name, offset, size } of learner.segments) {
    const gradient = learner.gradient.subarray(offset, offset + size)
    expect(differenceOverNorm(gradient, await expected(name)), name).toBeLessThan(1e-3)
  }
})

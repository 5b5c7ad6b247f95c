// Embedded and cluster train alike: the same losses step by step, and adapters that answer alike.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { TrainingEvent } from '../../src/base/progress.ts'
import { ClusterEngine } from '../../src/engine/cluster/cluster-engine.ts'
import { EmbeddedEngine } from '../../src/engine/embedded/embedded-engine.ts'
import { collectEvents } from '../../src/engine/engine.contract.ts'
import type { Engine, TrainingJob } from '../../src/engine/engine.ts'
import { openForward } from '../forward.ts'
import { prepareJob } from '../training-example.ts'
import { cpuSettings } from './settings.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meikai-equal-'))
})
afterAll(() => rm(folder, { recursive: true }))

const lora = {
  kind: 'lora' as const,
  rank: 4,
  alpha: 8,
  targetModules: ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'],
}
const steps = 20
/** Large enough that 20 steps move the model far from where it began. */
const learningRate = 0.02

type StepEnd = Extract<TrainingEvent, { type: 'step-end' }>

async function train(engine: Engine, job: TrainingJob) {
  const events = await collectEvents(engine, job)
  return events.filter((event): event is StepEnd => event.type === 'step-end')
}

/** NF4 holds 64 weights a block: of narrower matrices it would hold several rows in one. */
const wide = { hidden_size: 64, intermediate_size: 128 }

it.each([
  ['CPT', 'next-token', { accumulate: 2 }, {}],
  ['CPT on an NF4 base with double quantisation', 'next-token', { accumulate: 2 }, {}],
  ['RPO on an NF4 base', 'preference', { batch: { pairs: 4, maxTokens: 64 } }, {}],
  ['RPO, on two processes', 'preference', { batch: { pairs: 4, maxTokens: 64 } }, { processes: 2 }],
  ['RPO, shared out by FSDP', 'preference', { batch: { pairs: 4, maxTokens: 64 } }, { processes: 2, sharding: 'fsdp' }],
  [
    'training on winners, with a linear schedule',
    'preference',
    { batch: { pairs: 4, maxTokens: 64 }, schedule: 'linear' },
    {},
  ],
] as const)('%s has the same loss at each of 20 steps, and the same logits', async (name, kind, change, settings) => {
  const place = name.replace(/\W+/g, '-')
  const isQuantised = name.includes('NF4')
  const own = { method: lora, steps, learningRate, evaluationFiles: {}, warmupSteps: 1, ...change }
  const job = await prepareJob(join(folder, place), kind, own, isQuantised ? wide : {})
  if (isQuantised) {
    job.model.base = 'nf4'
    // A wider model moves further at the same rate, and the last digits with it.
    job.learningRate /= 10
  }
  if (job.objective.kind === 'preference' && name.includes('winners')) job.objective.loss = 'winners'
  const cluster = { ...job, outputFolder: join(folder, place, 'cluster') }
  const ours = await train(new EmbeddedEngine(), job)
  const theirs = await train(new ClusterEngine(cpuSettings(settings)), cluster)
  expect(theirs).toHaveLength(steps)
  for (const [i, step] of theirs.entries()) {
    const own = ours[i] as StepEnd
    expect(Math.abs(step.loss - own.loss)).toBeLessThan(1e-3)
    expect(step.learningRate / own.learningRate).toBeCloseTo(1, 6)
    expect(Math.abs(step.gradientNorm - own.gradientNorm) / own.gradientNorm).toBeLessThan(2e-3)
    expect(step.tokens).toBe(own.tokens)
  }
  const logits: Float32Array[] = []
  const adapters = [undefined, join(job.outputFolder, 'result'), join(cluster.outputFolder, 'result')]
  for (const adapter of adapters) {
    const forward = await openForward({ ...job.model, ...(adapter && { adapter }) }, 32)
    logits.push((await forward.run([2, 9, 5, 17, 11, 3, 20, 6, 14, 8])).logits)
    await forward.close()
  }
  const [start, embedded, trained] = logits as [Float32Array, Float32Array, Float32Array]
  expect(furthest(embedded, trained)).toBeLessThan(1e-2)
  // The bound means something only where training moved them.
  expect(furthest(start, trained)).toBeGreaterThan(0.2)
})

function furthest(a: Float32Array, b: Float32Array): number {
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - (b[i] ?? Number.NaN))), 0)
}

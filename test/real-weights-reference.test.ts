// The reference's log-probabilities on real weights: kept, computed again and recorded while sampling; and what becomes of them
// when the merged model is quantised a second time, beside a reference that is a second copy of the model as it was trained.
import { mkdtempSync, rmSync } from 'node:fs'
import { readFile, rename } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { writeJsonLines } from '../src/base/files.ts'
import type { TrainingEvent } from '../src/base/progress.ts'
import type { PairRow, TokenRow } from '../src/data/records.ts'
import { hashModel, scoreReference } from '../src/engine/embedded/reference.ts'
import { train } from '../src/engine/embedded/train.ts'
import type { ModelReference, TrainingJob } from '../src/engine/engine.ts'
import { mergeAdapter } from '../src/engine/merging/merge.ts'
import { readPairRecords } from '../src/engine/training-records.ts'
import { headChunk } from '../src/model/checkpoint.ts'
import { loadModelConfig } from '../src/model/config.ts'
import { quantisedShapes } from '../src/model/weights.ts'
import { openEmbeddedSampler } from '../src/sampler/embedded/embedded.ts'
import type { Completion } from '../src/sampler/sampler.ts'
import { loadTokenizer } from '../src/tokenizer/tokenizer.ts'
import { storiesMissing, writeStories } from './stories.ts'
import { plainSettings } from './training-example.ts'

const prompts = ['Once upon a time there was a dog.', 'Lily had a red ball.', 'Tom was sad.', 'Mum made a cake.']
const signal = new AbortController().signal
const positions = 256

type StepEvent = Extract<TrainingEvent, { type: 'step-end' }>

describe.skipIf(storiesMissing !== undefined)(`stories15M as reference (${storiesMissing ?? 'real weights'})`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'meikai-reference-'))
  const base = { folder: join(folder, 'base') }
  const merged = { folder: join(folder, 'merged') }
  /** The model after continued pretraining, just as it was trained. */
  const trained: ModelReference = { ...base, base: 'nf4', adapter: join(folder, 'cpt', 'result') }
  /** Of each pair's responses in turn. */
  let recorded: number[]

  beforeAll(async () => {
    await writeStories(base.folder)
    const tokenizer = await loadTokenizer(base.folder)
    const text = await readFile(new URL('../LICENSE', import.meta.url), 'utf8')
    const rows = text.split(/\n\s*\n/).map((paragraph, i): TokenRow => {
      const tokens = tokenizer.encode(paragraph.replace(/\s+/g, ' ').trim()).slice(0, 255)
      return { id: `${i}`, source: 'LICENSE', tokens: [...tokens, tokenizer.endToken], lossFrom: 1 }
    })
    const trainingFile = join(folder, 'text.jsonl')
    await writeJsonLines(trainingFile, rows)
    const batch = { tokens: 512, sequenceTokens: 256 }
    await run({
      ...settings('cpt', 10),
      objective: { kind: 'next-token' },
      model: { ...base, base: 'nf4' },
      trainingFile,
      batch,
    })
    const quantised = quantisedShapes(await loadModelConfig(base.folder))
    await mergeAdapter(base.folder, trained.adapter!, merged.folder, {
      formOf: (name) => (quantised.has(name) ? 'nf4' : undefined),
      storedAs: 'BF16',
    })

    const completions = await sample(prompts.map((prompt) => tokenizer.encode(prompt)))
    recorded = []
    const pairs = completions.flatMap(({ id, sample, tokens, logProbabilities }): PairRow[] => {
      if (sample % 2 === 1) return []
      const promptTokens = tokenizer.encode(prompts[Number(id)]!)
      const other = completions.find((one) => one.id === id && one.sample === sample + 1)!
      recorded.push(sum(logProbabilities), sum(other.logProbabilities))
      return [{ id: `${id}/${sample}`, question: id, promptTokens, chosenTokens: tokens, rejectedTokens: other.tokens }]
    })
    await writeJsonLines(join(folder, 'pairs.jsonl'), pairs)
  }, 120_000)
  afterAll(() => rmSync(folder, { recursive: true }))

  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0)

  function settings(output: string, steps: number) {
    const targetModules = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj']
    return {
      method: { kind: 'lora' as const, rank: 8, alpha: 16, targetModules },
      evaluationFiles: {},
      outputFolder: join(folder, output),
      ...plainSettings,
      steps,
      learningRate: 5e-4,
      warmupSteps: 2,
      weightDecay: 0,
      threads: 2,
    }
  }

  async function run(job: TrainingJob): Promise<StepEvent[]> {
    const steps: StepEvent[] = []
    for await (const event of train(job, signal)) if (event.type === 'step-end') steps.push(event)
    return steps
  }

  async function sample(encoded: number[][]): Promise<Completion[]> {
    const sampler = await openEmbeddedSampler(merged, { threads: 2, sequences: 32 })
    const requests = encoded.map((prompt, i) => ({ id: String(i), prompt, samples: 8 }))
    const choice = { maxTokens: 60, temperature: 0.8, topP: 1, topK: 0, stopTokens: [], stopStrings: [], seed: 1 }
    const completions: Completion[] = []
    for await (const one of sampler.sample(requests, choice, signal)) completions.push(one)
    await sampler.close()
    return completions
  }

  function preference(output: string, model: ModelReference, reference: ModelReference): TrainingJob {
    return {
      ...settings(output, 4),
      model,
      objective: { kind: 'preference', loss: 'rpo', beta: 0.1, alpha: 1, reference },
      trainingFile: join(folder, 'pairs.jsonl'),
      batch: { pairs: 8, maxTokens: positions },
    }
  }

  /** Every response's log-probability under a model. */
  async function score(reference: ModelReference, output = 'scores') {
    const config = await loadModelConfig(base.folder)
    const records = await readPairRecords(join(folder, 'pairs.jsonl'), config)
    const job = preference(output, merged, reference)
    const [scores] = await scoreReference(
      job,
      await hashModel(reference),
      [records],
      positions,
      headChunk(config),
      signal,
    )
    return [...scores!]
  }

  const changes = (one: readonly number[], other: readonly number[]) => {
    const all = one.map((value, i) => Math.abs(value - other[i]!))
    return { mean: sum(all) / all.length, largest: Math.max(...all) }
  }

  it('gives the same bits kept and computed again, and what the sampler recorded but for the last digits', async () => {
    const computed = await score(merged)
    expect(await score(merged)).toEqual(computed)
    await rename(join(folder, 'scores'), join(folder, 'scores-before'))
    expect(await score(merged)).toEqual(computed)
    // Sums over up to 60 tokens.
    expect(changes(computed, recorded).largest).toBeLessThan(2e-4)
  }, 120_000)

  it('moves little when 16 bits are merged, and much when these are quantised again', async () => {
    const exact = await score(trained)
    const table = {
      'merged in 16 bits': changes(exact, await score(merged)),
      'quantised again': changes(exact, await score({ ...merged, base: 'nf4' })),
    }
    console.table(table)
    expect(table['merged in 16 bits'].mean).toBeLessThan(0.1 * table['quantised again'].mean)
  }, 120_000)
})

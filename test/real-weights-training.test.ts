// Real weights learn: stories15M with LoRA, on legal English it has never seen, and on preference pairs; in 8 bits as in float32.
import { mkdtempSync, rmSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { writeJsonLines } from '../src/base/files.ts'
import type { TrainingEvent } from '../src/base/progress.ts'
import type { PairRow, TokenRow } from '../src/data/records.ts'
import { train } from '../src/engine/embedded/train.ts'
import type { TrainingJob } from '../src/engine/engine.ts'
import { loadTokenizer, type Tokenizer } from '../src/tokenizer/tokenizer.ts'
import { storiesMissing, writeStories } from './stories.ts'
import { plainSettings } from './training-example.ts'

const stories = [
  [
    'Lily had a red ball.',
    'She loved to play with it in the garden every day.',
    'It with loved the garden she day in every.',
  ],
  [
    'Tom saw a little dog.',
    'The dog was sad because it was lost and hungry.',
    'Was dog hungry the lost because and it was sad.',
  ],
  [
    'Mum made a big cake.',
    'She put it on the table and called her children.',
    'Table it she children put the her called and on.',
  ],
  [
    'Ben went to the park.',
    'He played on the swings with his best friend Sam.',
    'Swings on Sam his played he best with the friend.',
  ],
] as const

describe.skipIf(storiesMissing !== undefined)(`stories15M learns (${storiesMissing ?? 'real weights'})`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'meikai-learning-'))
  const model = { folder: join(folder, 'model') }
  /** Jobs as they ran in float32, with the loss that they ended with. */
  const inFloat32 = new Map<string, { settings: TrainingJob; loss: number }>()
  let tokenizer: Tokenizer
  beforeAll(async () => {
    await writeStories(model.folder)
    tokenizer = await loadTokenizer(model.folder)
  }, 60_000)
  afterAll(() => rmSync(folder, { recursive: true }))

  const job = (change: Pick<TrainingJob, 'objective' | 'trainingFile' | 'batch' | 'steps' | 'learningRate'>) => ({
    model,
    method: { kind: 'lora' as const, rank: 8, alpha: 16, targetModules: ['q_proj', 'v_proj', 'up_proj', 'down_proj'] },
    evaluationFiles: { heldOut: join(folder, 'held-out.jsonl') },
    outputFolder: join(folder, 'output'),
    ...plainSettings,
    schedule: 'linear' as const,
    warmupSteps: 2,
    weightDecay: 0,
    threads: 2,
    ...change,
  })

  async function run(settings: TrainingJob) {
    const events: TrainingEvent[] = []
    for await (const event of train(settings, new AbortController().signal)) events.push(event)
    const evaluations = events.filter((event) => event.type === 'evaluation-end')
    return { before: evaluations[0]!, after: evaluations.at(-1)! }
  }

  it('lowers the loss on held-out paragraphs of a text that it is trained on', async () => {
    const text = await readFile(new URL('../LICENSE', import.meta.url), 'utf8')
    const paragraphs = text.split(/\n\s*\n/).map((paragraph) => paragraph.replace(/\s+/g, ' ').trim())
    const rows = paragraphs
      .filter((paragraph) => paragraph.length > 80)
      .map((paragraph, i): TokenRow => {
        const tokens = [...tokenizer.encode(paragraph), tokenizer.endToken].slice(0, 256)
        return { id: `${i}`, source: 'LICENSE', tokens, lossFrom: 1 }
      })
    await writeJsonLines(
      join(folder, 'training.jsonl'),
      rows.filter((_, i) => i % 4 !== 0),
    )
    await writeJsonLines(
      join(folder, 'held-out.jsonl'),
      rows.filter((_, i) => i % 4 === 0),
    )
    const settings = job({
      objective: { kind: 'next-token' },
      trainingFile: join(folder, 'training.jsonl'),
      batch: { tokens: 512, sequenceTokens: 256 },
      steps: 20,
      learningRate: 3e-3,
    })
    const { before, after } = await run(settings)
    inFloat32.set('CPT', { settings, loss: after.loss })
    expect(before.loss).toBeGreaterThan(4) // stories have not prepared it for this
    expect(after.loss).toBeLessThan(before.loss - 0.5)
  })

  it('moves chosen up and rejected away from it under RPO, on pairs that it was not trained on too', async () => {
    const pairs = stories.map(([start, chosen, rejected], i): PairRow => {
      const response = (words: string) => [...tokenizer.encodeContinuation(` ${words}`), tokenizer.endToken]
      return {
        id: `${i}`,
        question: `${i}`,
        promptTokens: tokenizer.encode(start),
        chosenTokens: response(chosen),
        rejectedTokens: response(rejected),
      }
    })
    await writeJsonLines(join(folder, 'pairs.jsonl'), pairs.slice(0, 3))
    await writeJsonLines(join(folder, 'held-out-pairs.jsonl'), pairs.slice(3))
    const settings = job({
      objective: { kind: 'preference', loss: 'rpo', beta: 0.1, alpha: 1, reference: model },
      trainingFile: join(folder, 'pairs.jsonl'),
      batch: { pairs: 3, maxTokens: 512 },
      steps: 12,
      learningRate: 1e-3,
    })
    settings.evaluationFiles = { heldOut: join(folder, 'held-out-pairs.jsonl') }
    const { before, after } = await run(settings)
    inFloat32.set('RPO', { settings, loss: after.loss })
    expect(before.preference!.margin).toBeCloseTo(0, 4) // the policy starts as its own reference
    expect(after.preference!.margin).toBeGreaterThan(0.1)
    expect(after.preference!.chosenLogProbability).toBeGreaterThan(before.preference!.chosenLogProbability)
    expect(after.preference!.accuracy).toBe(1)
    expect(after.loss).toBeLessThan(before.loss)
  })

  it.each(['CPT', 'RPO'])('%s on a base in 8 bits ends within half a percent of the loss in float32', async (name) => {
    const { settings, loss } = inFloat32.get(name)!
    const int8 = { ...model, base: 'int8' as const }
    const { objective } = settings
    const reference = 'reference' in objective ? { objective: { ...objective, reference: int8 } } : {}
    const { after } = await run({ ...settings, ...reference, model: int8 })
    expect(after.loss).not.toBe(loss)
    expect(Math.abs(after.loss / loss - 1)).toBeLessThan(0.005)
  })
})

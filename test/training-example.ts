// A small training job on a small model: documents and pairs of made-up tokens, for tests of the engine.
import { join } from 'node:path'
import { writeJsonLines } from '../src/base/files.ts'
import { Random } from '../src/base/random.ts'
import type { PairRow, TokenRow } from '../src/data/records.ts'
import type { TrainingJob } from '../src/engine/engine.ts'
import { writeSmallModel } from './small-model.ts'

export const smallShape = {
  vocab_size: 24,
  hidden_size: 16,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  intermediate_size: 24,
  max_position_embeddings: 32,
}

/** Documents that count upwards in steps of their own: easy to learn, none like another. */
export function makeDocuments(count: number, seed = 1): TokenRow[] {
  const random = new Random(seed, 'documents')
  return Array.from({ length: count }, (_, i) => {
    const [start, stride] = [random.integer(22), 1 + random.integer(3)]
    const tokens = Array.from({ length: 3 + random.integer(14) }, (_, t) => 2 + ((start + stride * t) % 22))
    return { id: `d${i}`, source: 'made', tokens: [...tokens, 1], lossFrom: i % 4 === 0 ? 3 : 1 }
  })
}

/** Pairs, two a question, that share the question's prompt and its chosen response. */
export function makePairs(count: number, seed = 1): PairRow[] {
  const random = new Random(seed, 'pairs')
  const run = (length: number) => Array.from({ length }, () => 2 + random.integer(22))
  const pairs: PairRow[] = []
  while (pairs.length < count) {
    const question = `q${pairs.length >> 1}`
    const shared = {
      question,
      promptTokens: run(2 + random.integer(4)),
      chosenTokens: [...run(1 + random.integer(5)), 1],
    }
    for (let i = 0; i < 2; i++)
      pairs.push({ id: `p${pairs.length}`, ...shared, rejectedTokens: run(1 + random.integer(6)) })
  }
  return pairs.slice(0, count)
}

/** What a training whose last weights are all that is wanted has in common with every other. */
export const plainSettings = {
  accumulate: 1,
  finalLearningRateShare: 0.1,
  schedule: 'cosine',
  adamBeta1: 0.9,
  adamBeta2: 0.98,
  adamEpsilon: 1e-8,
  clipNorm: 1,
  evaluateEverySteps: 1000,
  checkpointEverySteps: 1000,
  keepCheckpoints: 1,
  keep: 'last',
  snapshotSteps: [],
  seed: 1,
} satisfies Partial<TrainingJob>

/** Writes a small model and its data to a folder, and gives a job on them. */
export async function prepareJob(
  folder: string,
  kind: 'next-token' | 'preference',
  change: Partial<TrainingJob> = {},
  shape: Parameters<typeof writeSmallModel>[1] = {},
): Promise<TrainingJob> {
  const model = { folder: join(folder, 'model') }
  await writeSmallModel(model.folder, { ...smallShape, ...shape })
  const trainingFile = join(folder, `${kind}.jsonl`)
  const heldOut = join(folder, `${kind}-held-out.jsonl`)
  await writeJsonLines(trainingFile, kind === 'next-token' ? makeDocuments(60) : makePairs(24))
  await writeJsonLines(heldOut, kind === 'next-token' ? makeDocuments(9, 2) : makePairs(6, 2))
  return {
    model,
    method: { kind: 'full' },
    objective:
      kind === 'next-token'
        ? { kind: 'next-token' }
        : { kind: 'preference', loss: 'rpo', beta: 0.1, alpha: 1, reference: model },
    trainingFile,
    evaluationFiles: { heldOut },
    outputFolder: join(folder, 'output'),
    steps: 12,
    batch: kind === 'next-token' ? { tokens: 64, sequenceTokens: 16 } : { pairs: 5, maxTokens: 64 },
    ...plainSettings,
    learningRate: 0.01,
    warmupSteps: 2,
    weightDecay: 0.01,
    evaluateEverySteps: 5,
    checkpointEverySteps: 4,
    threads: 1,
    ...change,
  }
}

export const smallLora = {
  kind: 'lora' as const,
  rank: 3,
  alpha: 6,
  targetModules: ['q_proj', 'v_proj', 'o_proj', 'down_proj'],
}

// A training step of the miniature: 1,024 tokens of whole short documents, all weights; beside the machine's matrix rate.
import { mkdtemp, rm } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { writeJsonLines } from '../src/base/files.ts'
import { formatCount } from '../src/base/format.ts'
import { Random } from '../src/base/random.ts'
import type { TokenRow } from '../src/data/records.ts'
import { EmbeddedEngine } from '../src/engine/embedded/embedded-engine.ts'
import { measureMatrixRate } from '../src/runtime/matrix-rate.ts'
import { miniatureShape, writeSmallModel } from '../test/small-model.ts'

const threads = Math.min(2, availableParallelism())
const steps = 60
/** The first steps set up sessions and warm caches. */
const warmSteps = 10
const batchTokens = 1024

const folder = await mkdtemp(join(tmpdir(), 'meikai-bench-'))
try {
  await writeSmallModel(join(folder, 'model'), miniatureShape)
  const random = new Random(1)
  const rows = Array.from({ length: 4000 }, (_, i): TokenRow => {
    // Lengths as the miniature's documents and questions have them.
    const tokens = Array.from({ length: 15 + random.integer(50) }, () => 2 + random.integer(1100))
    return { id: String(i), source: 'made', tokens: [...tokens, 1], lossFrom: 1 }
  })
  await writeJsonLines(join(folder, 'rows.jsonl'), rows)
  console.log(
    `float32 matrix rate: ${((await measureMatrixRate(threads)) / 1e9).toFixed(0)} GFLOP/s on ${threads} threads`,
  )
  const seconds: number[] = []
  let tokens = 0
  for await (const event of new EmbeddedEngine().train(
    {
      model: { folder: join(folder, 'model') },
      method: { kind: 'full' },
      objective: { kind: 'next-token' },
      trainingFile: join(folder, 'rows.jsonl'),
      evaluationFiles: {},
      outputFolder: join(folder, 'out'),
      steps,
      batch: { tokens: batchTokens, sequenceTokens: 128 },
      accumulate: 1,
      learningRate: 1e-3,
      finalLearningRateShare: 0.1,
      schedule: 'cosine',
      warmupSteps: 5,
      weightDecay: 0.01,
      adamBeta1: 0.9,
      adamBeta2: 0.98,
      adamEpsilon: 1e-8,
      clipNorm: 1,
      evaluateEverySteps: steps,
      checkpointEverySteps: steps,
      keepCheckpoints: 1,
      keep: 'last',
      snapshotSteps: [],
      seed: 1,
      threads,
    },
    new AbortController().signal,
  )) {
    if (event.type !== 'step-end' || event.step <= warmSteps) continue
    seconds.push(event.seconds)
    tokens += event.tokens
  }
  const sorted = seconds.sort((a, b) => a - b)
  const at = (share: number) => (1000 * (sorted[Math.floor(share * (sorted.length - 1))] ?? 0)).toFixed(1)
  console.log(
    `a step of ${batchTokens} tokens, padding included: median ${at(0.5)} ms (tenth ${at(0.1)}, ninth tenth ${at(0.9)})`,
  )
  console.log(`tokens with a loss: ${formatCount(tokens / seconds.reduce((sum, one) => sum + one, 0))} a second`)
} finally {
  await rm(folder, { recursive: true, force: true })
}

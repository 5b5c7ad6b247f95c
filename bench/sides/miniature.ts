// The comparison of the miniature's training step with PyTorch.
import { join } from 'node:path'
import { writeJsonLines } from '../../src/base/files.ts'
import { Random } from '../../src/base/random.ts'
import type { TokenRow } from '../../src/data/records.ts'
import type { TrainingJob } from '../../src/engine/engine.ts'
import { miniatureShape, writeSmallModel } from '../../test/small-model.ts'
import type { Comparison } from './comparison.ts'
import { commonJob, ours, peer } from './training-sides.ts'

const miniatureSteps = 60
const miniatureWarm = 20
const miniatureTokens = 1024

/** A step of the miniature, all weights learning, 1,024 tokens of whole short documents. */
export async function miniature(folder: string): Promise<Comparison> {
  await writeSmallModel(join(folder, 'miniature'), miniatureShape)
  const random = new Random(1)
  const rows = Array.from({ length: 8000 }, (_, i): TokenRow => {
    // Lengths as the miniature's documents and questions have them.
    const tokens = Array.from({ length: 15 + random.integer(50) }, () => 2 + random.integer(1100))
    return { id: String(i), source: 'made', tokens: [...tokens, 1], lossFrom: 1 }
  })
  const trainingFile = join(folder, 'miniature.jsonl')
  await writeJsonLines(trainingFile, rows)
  const count = miniatureSteps + miniatureWarm
  const training: Omit<TrainingJob, 'outputFolder'> = {
    ...commonJob,
    model: { folder: join(folder, 'miniature') },
    method: { kind: 'full' },
    objective: { kind: 'next-token' },
    trainingFile,
    steps: count,
    batch: { tokens: miniatureTokens, sequenceTokens: 128 },
    learningRate: 1e-3,
  }
  const job = { kind: 'miniature', config: miniatureShape, rows: 8, tokens: 128, steps: count, warm: miniatureWarm }
  const others = [
    peer('torch-float32', 'PyTorch, float32', { ...job, dtype: 'float32', compiled: false }),
    peer('torch-bf16', 'PyTorch, bf16 autocast', { ...job, dtype: 'bfloat16', compiled: false }),
    peer('torch-float32-compiled', 'PyTorch, float32, torch.compile', { ...job, dtype: 'float32', compiled: true }),
    peer('torch-bf16-compiled', 'PyTorch, bf16 autocast, torch.compile', { ...job, dtype: 'bfloat16', compiled: true }),
  ]
  return {
    key: 'miniature',
    work: `The miniature's training step, all weights, ${miniatureTokens} tokens`,
    unit: 'ms a step',
    more: false,
    measured: `${miniatureSteps} steps after ${miniatureWarm}`,
    sides: [ours('ours', 'meikai', { training, warm: miniatureWarm, unit: 'step' }), ...others],
    goals: [
      {
        of: 'speed',
        ours: 'ours',
        against: others.map(({ key }) => key),
        factor: 1 / 0.7,
        words: "0.7 x the time of PyTorch's best (a speed of 1.43)",
      },
    ],
  }
}

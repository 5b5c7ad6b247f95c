// The comparisons of CPT, on float32 and on NF4 weights: what ours, TRL and a bare loop do on the same tokens.
import { join } from 'node:path'
import { writeJsonLines } from '../../src/base/files.ts'
import type { TrainingJob } from '../../src/engine/engine.ts'
import type { HeldForm } from '../../src/formats/quantised-forms.ts'
import type { Comparison, Goal } from './comparison.ts'
import { readTexts } from './material.ts'
import { type Amounts, commonJob, formats, lora, ours, peer } from './training-sides.ts'

interface Form {
  key: string
  base: 'float32' | 'nf4'
  work: string
  /** What TRL is called in the table. */
  trl: string
  /** Whether a bare PyTorch loop takes part. */
  loop: boolean
  /** `kept` and `recomputed`: TRL's sides. */
  goals: (kept: string[], recomputed: string[]) => Goal[]
}

export const float32Form: Form = {
  key: 'cpt',
  base: 'float32',
  work: 'CPT with LoRA, float32 weights',
  trl: 'TRL SFTTrainer',
  loop: true,
  goals: (kept, recomputed) => [
    { of: 'speed', ours: 'ours', against: [...kept, ...recomputed], factor: 2, words: "2.0 x TRL's best" },
    { of: 'memory', ours: 'ours', against: [...kept, ...recomputed], factor: 1, words: "memory at most TRL's least" },
    {
      of: 'speed',
      ours: 'ours-int8',
      against: [...kept, ...recomputed],
      factor: 3,
      words: "8-bit base, 3 x TRL's best",
    },
    {
      of: 'speed',
      ours: 'ours-int8',
      against: ['loop-bf16'],
      factor: 1.4,
      words: '8-bit base, 1.4 x the bare bf16 loop',
    },
    {
      of: 'memory',
      ours: 'ours-recomputed',
      against: ['trl-float32'],
      factor: 0.6,
      words: "recomputed, memory at most 0.6 of TRL's in float32",
    },
  ],
}

export const nf4Form: Form = {
  key: 'qlora',
  base: 'nf4',
  work: 'QLoRA, NF4 weights',
  trl: 'TRL SFTTrainer, bitsandbytes',
  loop: false,
  goals: (kept, recomputed) => [
    { of: 'speed', ours: 'ours', against: kept, factor: 1.8, words: "kept, 1.8 x TRL's best" },
    { of: 'memory', ours: 'ours', against: kept, factor: 1, words: "kept, memory at most TRL's least" },
    { of: 'speed', ours: 'ours-recomputed', against: recomputed, factor: 1.2, words: "recomputed, 1.2 x TRL's best" },
    {
      of: 'memory',
      ours: 'ours-recomputed',
      against: recomputed,
      factor: 0.5,
      words: "recomputed, half of TRL's least memory",
    },
  ],
}

/** CPT on packs of `tokens` tokens. */
export async function pretraining(
  { folder, model, steps, warm }: Amounts,
  { key, base, work, trl, loop, goals }: Form,
  tokens: number,
): Promise<Comparison> {
  const count = steps + warm
  const texts = await readTexts((count + 4) * tokens)
  const trainingFile = join(folder, `texts-${tokens}.jsonl`)
  await writeJsonLines(trainingFile, texts)
  const stream = texts.flatMap((row) => row.tokens)
  const rows = Array.from({ length: count }, (_, i) => stream.slice(i * tokens, (i + 1) * tokens))
  const own = (recompute: 'none' | 'layers', held: HeldForm = base) => {
    const training: Omit<TrainingJob, 'outputFolder'> = {
      ...commonJob,
      model: { folder: model, base: held },
      method: lora,
      objective: { kind: 'next-token' },
      trainingFile,
      steps: count,
      batch: { tokens, sequenceTokens: tokens },
      recompute,
    }
    return { training, warm, unit: 'tokens' }
  }
  const trlSides = (recompute: boolean) =>
    Object.entries(formats).map(([short, dtype]) =>
      peer(`trl-${short}${recompute ? '-recomputed' : ''}`, `${trl}, ${short}${recompute ? ', recomputed' : ''}`, {
        kind: 'sft',
        nf4: base === 'nf4',
        model,
        dtype,
        recompute,
        rows,
        warm,
      }),
    )
  const kept = trlSides(false)
  const recomputed = trlSides(true)
  const loops = Object.entries(formats).map(([short, dtype]) =>
    peer(`loop-${short}`, `bare PyTorch loop, ${short}`, { kind: 'loop', model, dtype, recompute: false, rows, warm }),
  )
  const keys = (sides: { key: string }[]) => sides.map((side) => side.key)
  return {
    key,
    work: `${work}, packs of ${tokens} tokens`,
    unit: 'tokens with a loss/s',
    more: true,
    measured: `${steps} steps after ${warm}`,
    sides: [
      ours('ours', 'meikai', own('none')),
      ours('ours-recomputed', 'meikai, recomputed', own('layers')),
      ...(base === 'float32' ? [ours('ours-int8', 'meikai, 8-bit base', own('none', 'int8'))] : []),
      ...kept,
      ...recomputed,
      ...(loop ? loops : []),
    ],
    goals: goals(keys(kept), keys(recomputed)),
  }
}

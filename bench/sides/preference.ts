// The comparisons of RPO: what ours and TRL do over one epoch of pairs.
import { join } from 'node:path'
import { writeJsonLines } from '../../src/base/files.ts'
import type { PairRow } from '../../src/data/records.ts'
import type { TrainingJob } from '../../src/engine/engine.ts'
import type { HeldForm } from '../../src/formats/quantised-forms.ts'
import type { Comparison } from './comparison.ts'
import { cutPairs, promptTokens, responseTokens } from './material.ts'
import { type Amounts, commonJob, formats, lora, ours, peer } from './training-sides.ts'

/** RPO over one epoch, the reference's pass included, `pairsOfQuestion` pairs on each prompt. */
export async function preference(
  { folder, model, pairs, peerPairs }: Amounts,
  {
    key,
    pairsOfQuestion,
    factor,
    int8Factor,
  }: { key: string; pairsOfQuestion: number; factor: number; int8Factor: number },
): Promise<Comparison> {
  const rows: PairRow[] = await cutPairs(pairs, pairsOfQuestion)
  const trainingFile = join(folder, `${key}.jsonl`)
  await writeJsonLines(trainingFile, rows)
  const own = (recompute: 'none' | 'layers', base: HeldForm = 'float32') => {
    const training: Omit<TrainingJob, 'outputFolder'> = {
      ...commonJob,
      model: { folder: model, base },
      method: lora,
      objective: { kind: 'preference', loss: 'rpo', beta: 0.1, alpha: 1, reference: { folder: model, base } },
      trainingFile,
      epochs: 1,
      batch: { pairs: pairsOfQuestion, maxTokens: promptTokens + 2 * pairsOfQuestion * responseTokens },
      recompute,
    }
    return { training, warm: 0, unit: { pairs: rows.length } }
  }
  const others = Object.entries(formats).flatMap(([short, dtype]) =>
    [false, true].map((precompute) =>
      peer(
        `trl-${short}${precompute ? '-before' : ''}`,
        `TRL DPOTrainer, ${short}${precompute ? ', reference computed before' : ''}`,
        {
          kind: 'dpo',
          model,
          dtype,
          recompute: false,
          precompute,
          pairs: rows.slice(0, peerPairs),
          accumulate: pairsOfQuestion,
        },
      ),
    ),
  )
  const float32 = ['trl-float32', 'trl-float32-before']
  const all = others.map((side) => side.key)
  return {
    key,
    work: `RPO with LoRA, float32 weights, prompts of ${promptTokens} and responses of ${responseTokens} tokens, ${pairsOfQuestion === 1 ? 'a pair a question' : `${pairsOfQuestion} pairs a question`}`,
    unit: 's a pair',
    more: false,
    measured: `${rows.length} pairs${peerPairs < pairs ? ` (TRL ${peerPairs} of them)` : ''}, one epoch, from the call on, the reference's pass included`,
    sides: [
      ours('ours', 'meikai', own('none')),
      ours('ours-recomputed', 'meikai, recomputed', own('layers')),
      ours('ours-int8', 'meikai, 8-bit base', own('none', 'int8')),
      ...others,
    ],
    goals: [
      { of: 'speed', ours: 'ours', against: all, factor, words: `${factor} x TRL's best` },
      { of: 'speed', ours: 'ours', against: float32, factor, words: `(${factor} x TRL in float32)` },
      {
        of: 'speed',
        ours: 'ours-int8',
        against: float32,
        factor: int8Factor,
        words: `8-bit base, ${int8Factor} x TRL in float32`,
      },
      { of: 'memory', ours: 'ours', against: all, factor: 1, words: "memory at most TRL's least" },
    ],
  }
}

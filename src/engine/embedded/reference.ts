// The reference model's log-probabilities: computed once before the first step, kept in the job's folder.
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { internal, UserError } from '../../base/errors.ts'
import { hashFile, hashJson, readJson, writeJson } from '../../base/files.ts'
import type { PairRow } from '../../data/records.ts'
import { openWeights } from '../../formats/weights.ts'
import { openCheckpoint } from '../../model/checkpoint.ts'
import { makeBatch } from '../../training/batch.ts'
import type { ModelReference, TrainingJob } from '../engine.ts'
import { pairKeys, planEvaluation, type ReferenceScores, sumResponses } from '../training-data.ts'
import { Learner } from './learner.ts'

interface KeptScores {
  /** Hash of the reference's weights, the pairs and what else decides the bits. */
  key: string
  /** Sums of log-probabilities, a pair's chosen and rejected in turn, in the order of the pairs. */
  sums: number[]
}

/** Scores of both responses of every pair, from the job's folder where they were computed already. */
export async function scoreReference(
  job: TrainingJob,
  pairs: readonly PairRow[],
  positions: number,
  chunk: number,
  signal: AbortSignal,
): Promise<ReferenceScores> {
  if (job.objective.kind !== 'preference') return new Map()
  const { reference } = job.objective
  const file = join(job.outputFolder, 'reference-scores.json')
  const key = hashJson({
    model: await hashModel(reference),
    pairs,
    positions,
    chunk,
    batch: job.batch,
    threads: job.threads,
  })
  const kept = (await readJson(file).catch((error) => {
    if (error instanceof UserError) return undefined
    throw error
  })) as KeptScores | undefined
  if (kept?.key === key) return keyScores(pairs, kept.sums)

  const scores = await scorePairs(reference, job, pairs, positions, chunk, signal)
  const sums = pairs.flatMap((pair) => {
    const { chosen, rejected } = pairKeys(pair)
    return [
      scores.get(chosen) ?? internal('an unscored response'),
      scores.get(rejected) ?? internal('an unscored response'),
    ]
  })
  await writeJson(file, { key, sums } satisfies KeptScores)
  return scores
}

/** Hash of a model's configuration, weights and adapter. */
export async function hashModel({ folder, adapter, base }: ModelReference): Promise<string> {
  const { tensors } = await openWeights(folder)
  const files = new Set([join(folder, 'config.json'), ...[...tensors.values()].map(({ file }) => file)])
  if (adapter !== undefined) {
    for (const file of await readdir(adapter)) if (file.startsWith('adapter_')) files.add(join(adapter, file))
  }
  const hashes: string[] = []
  for (const file of files) hashes.push(await hashFile(file))
  return hashJson(base === undefined || base === 'float32' ? hashes : [...hashes, base])
}

async function scorePairs(
  reference: ModelReference,
  job: TrainingJob,
  pairs: readonly PairRow[],
  positions: number,
  chunk: number,
  signal: AbortSignal,
): Promise<Map<string, number>> {
  const checkpoint = await openCheckpoint(reference, positions)
  const learner = await Learner.compile({
    checkpoint,
    learning: { kind: 'none', lora: checkpoint.lora },
    positions,
    chunk,
    threads: job.threads,
    graphs: { step: false, forward: true },
  })
  try {
    const scores = new Map<string, number>()
    for (const planned of planEvaluation({ kind: 'pairs', rows: [...pairs] }, job, 0)) {
      signal.throwIfAborted()
      const logProbabilities = await learner.score(makeBatch(planned.rows, chunk))
      for (const [key, sum] of sumResponses(planned.trees, logProbabilities)) scores.set(key, sum)
    }
    return scores
  } finally {
    await learner.release()
  }
}

function keyScores(pairs: readonly PairRow[], sums: readonly number[]): Map<string, number> {
  const scores = new Map<string, number>()
  for (const [i, pair] of pairs.entries()) {
    const { chosen, rejected } = pairKeys(pair)
    scores.set(chosen, sums[2 * i] ?? internal('too few reference scores'))
    scores.set(rejected, sums[2 * i + 1] ?? internal('too few reference scores'))
  }
  return scores
}

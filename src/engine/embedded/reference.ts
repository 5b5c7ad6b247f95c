// The reference model's log-probabilities: computed once before the first step, kept in the job's folder.
import { join } from 'node:path'
import { internal, UserError } from '../../base/errors.ts'
import { hashFile, hashJson, readJson, writeJson } from '../../base/files.ts'
import type { PairRow } from '../../data/records.ts'
import { makeBatch } from '../../training/batch.ts'
import type { ModelReference, TrainingJob } from '../engine.ts'
import { Learner } from './learner.ts'
import { frozenWeights, type ModelSource, openModel } from './model-source.ts'
import { pairKeys, planEvaluation, type ReferenceScores, sumResponses } from './training-data.ts'

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

  const source = await openModel(reference)
  const scores = await scorePairs(source, job, pairs, positions, chunk, signal)
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

/** Hashes of a model's configuration, weights and adapter. */
export async function hashModel(model: ModelReference): Promise<string> {
  const { config, tensors, adapter } = await openModel(model)
  const files = new Set([...tensors.values()].map(({ file }) => file))
  for (const { a } of adapter?.layers.values() ?? []) files.add(a.file)
  const hashes: string[] = []
  for (const file of files) hashes.push(await hashFile(file))
  return hashJson({ config, hashes, adapter: adapter?.config })
}

async function scorePairs(
  source: ModelSource,
  job: TrainingJob,
  pairs: readonly PairRow[],
  positions: number,
  chunk: number,
  signal: AbortSignal,
): Promise<Map<string, number>> {
  const learner = await Learner.compile({
    config: source.config,
    learning: { kind: 'none' },
    positions,
    chunk,
    ...(await frozenWeights(source, { merged: true, positions })),
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

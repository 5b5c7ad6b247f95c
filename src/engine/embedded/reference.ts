// The reference model's log-probabilities: computed once before the first step, kept in the job's folder.
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { internal, UserError } from '../../base/errors.ts'
import { hashFile, hashJson, readJson, writeJson } from '../../base/files.ts'
import { openWeights } from '../../formats/weights.ts'
import { openCheckpoint } from '../../model/checkpoint.ts'
import { makeBatch } from '../../training/batch.ts'
import type { ModelReference, TrainingJob } from '../engine.ts'
import { pairKeys, planPairs, type ReferenceScores, sumResponses } from '../training-data.ts'
import { type PairRecords, pairWindows } from '../training-records.ts'
import { Learner } from './learner.ts'

interface KeptScores {
  /** Hash of the reference's weights, the pairs and what else decides the bits. */
  key: string
  /** Sums of log-probabilities, a pair's chosen and rejected in turn, in the order of the pairs. */
  sums: number[]
}

/**
 * Scores of both responses of every pair, for each set, from the job's folder where they were computed already.
 * @param model the reference's hash, see hashModel.
 */
export async function scoreReference(
  job: TrainingJob,
  model: string | undefined,
  sets: readonly PairRecords[],
  positions: number,
  chunk: number,
  signal: AbortSignal,
): Promise<ReferenceScores[]> {
  if (job.objective.kind !== 'preference') return []
  const { reference } = job.objective
  const file = join(job.outputFolder, 'reference-scores.json')
  const pairs: string[] = []
  for (const { rows } of sets) pairs.push(await hashFile(rows.path))
  const key = hashJson({
    model,
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
  if (kept?.key === key) return divideScores(sets, Float64Array.from(kept.sums))

  const sums = await scorePairs(reference, job, sets, positions, chunk, signal)
  await writeJson(file, { key, sums: [...sums] } satisfies KeptScores)
  return divideScores(sets, sums)
}

function divideScores(sets: readonly PairRecords[], sums: Float64Array): ReferenceScores[] {
  let end = 0
  return sets.map(({ rows }) => {
    end += 2 * rows.count
    return sums.subarray(end - 2 * rows.count, end)
  })
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
  sets: readonly PairRecords[],
  positions: number,
  chunk: number,
  signal: AbortSignal,
): Promise<Float64Array> {
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
    const sums = new Float64Array(2 * sets.reduce((sum, { rows }) => sum + rows.count, 0))
    for await (const pairs of pairWindows(sets)) {
      const scores = new Map<string, number>()
      for (const planned of planPairs(pairs, { ...job, accumulate: 1 })) {
        signal.throwIfAborted()
        const logProbabilities = await learner.score(makeBatch(planned.rows, chunk))
        for (const [key, sum] of sumResponses(planned.trees, logProbabilities)) scores.set(key, sum)
      }
      for (const pair of pairs) {
        const { chosen, rejected } = pairKeys(pair)
        sums[2 * pair.number] = scores.get(chosen) ?? internal('an unscored response')
        sums[2 * pair.number + 1] = scores.get(rejected) ?? internal('an unscored response')
      }
    }
    return sums
  } finally {
    await learner.release()
  }
}

// A job's steps as rows of token ids and labels, in the order in which they are trained: what LLaMA-Factory loads as it is.
import { UserError } from '../../base/errors.ts'
import { type ArrowSplit, writeArrowDataset } from '../../data/arrow-dataset.ts'
import { loadModelConfig } from '../../model/config.ts'
import type { TrainingJob } from '../engine.ts'
import {
  countSteps,
  documentRowTokens,
  type PlannedBatch,
  packEvaluation,
  planEvaluation,
  planSteps,
  readSteps,
} from '../training-data.ts'
import { type Records, readRecords } from '../training-records.ts'
import { emptyRow, type Lists, mediaColumns, packedColumns, packedRow, pairColumns, pairRow } from './row-lists.ts'

/** Means over pairs, in tokens. */
export interface ResponseLengths {
  chosen: number
  rejected: number
}

/** What a job's data comes to. */
export interface TrainingRows {
  steps: number
  rowsPerStep: number
  /** Tokens with a loss, of each step. */
  stepTokens: number[]
  /** Preference: mean response lengths of each step. */
  stepLengths?: ResponseLengths[]
  evaluations: Record<string, { tokens: number; lengths?: ResponseLengths }>
  /** Rows without a loss that fill up the last step, or pairs that come again for that. */
  filled: number
  /** Tokens of the longest row. */
  longest: number
}

/** Name of an evaluation set's split, as LLaMA-Factory wants it. */
const splitName = (set: string) => `validation_${set}`

/**
 * Writes the data set folder of a job: split `train` has every step's rows in order (each pass over the data laid out
 * anew, so that the cluster makes one pass), `validation_<set>` each evaluation set's.
 * @throws UserError on bad data, or rows a step that do not divide over the processes.
 */
export async function writeTrainingRows(folder: string, job: TrainingJob, processes: number): Promise<TrainingRows> {
  const config = await loadModelConfig(job.model.folder)
  const read = (file: string) => readRecords(file, job.objective, config)
  const records = await read(job.trainingFile)
  const rowTokens = documentRowTokens(job, config.contextTokens)
  const rowsPerStep = countRowsPerStep(job, rowTokens)
  if (rowsPerStep % processes !== 0) {
    const [unit, setting] =
      records.kind === 'pairs' ? ['pairs', 'pairsPerStep'] : ['rows', 'accumulate (or batchTokens)']
    throw new UserError(
      `${rowsPerStep} ${unit} a step do not divide over ${processes} processes. Make ${setting} such that they do, or change the number of processes.`,
    )
  }
  const made: TrainingRows = {
    steps: countSteps(records, job, rowTokens),
    rowsPerStep,
    stepTokens: [],
    ...(records.kind === 'pairs' && { stepLengths: [] }),
    evaluations: {},
    filled: 0,
    longest: 0,
  }
  const splits: ArrowSplit[] = [split('train', records, trainingRows(records, job, rowTokens, made))]
  for (const [set, file] of Object.entries(job.evaluationFiles)) {
    const held = await read(file)
    splits.push(split(splitName(set), held, evaluationRows(set, held, job, rowTokens, made)))
  }
  await writeArrowDataset(folder, splits)
  return made
}

function split(name: string, { kind }: Records, rows: AsyncIterable<Lists>): ArrowSplit {
  return kind === 'pairs'
    ? { name, columns: pairColumns, nullColumns: mediaColumns, rows }
    : { name, columns: packedColumns, rows }
}

function countRowsPerStep({ batch, accumulate }: TrainingJob, rowTokens: number): number {
  return 'pairs' in batch ? batch.pairs : Math.max(1, Math.floor(batch.tokens / rowTokens)) * accumulate
}

async function* trainingRows(
  records: Records,
  job: TrainingJob,
  rowTokens: number,
  made: TrainingRows,
): AsyncGenerator<Lists> {
  const { rowsPerStep } = made
  const first: Lists[] = []
  let last = 0
  for await (const step of readSteps(planSteps(records, job, rowTokens))) {
    made.stepTokens.push(countLossTokens(step))
    made.stepLengths?.push(meanLengths(addLengths({ pairs: 0, chosen: 0, rejected: 0 }, step)))
    last = 0
    for (const row of rowsOf(step)) {
      made.longest = Math.max(made.longest, longestList(row))
      if (records.kind === 'pairs' && first.length < rowsPerStep) first.push(row)
      last++
      yield row
    }
  }
  // The last step may be short: rows without a loss fill it up exactly; pairs cannot be without one, so some come again.
  for (let i = 0; last + i < rowsPerStep; i++) {
    made.filled++
    yield records.kind === 'documents' ? emptyRow() : (first[i % first.length] as Lists)
  }
}

async function* evaluationRows(
  set: string,
  records: Records,
  job: TrainingJob,
  rowTokens: number,
  made: TrainingRows,
): AsyncGenerator<Lists> {
  const planned =
    records.kind === 'pairs' ? planEvaluation(records, job, rowTokens) : packEvaluation(records, rowTokens)
  let tokens = 0
  const lengths = { pairs: 0, chosen: 0, rejected: 0 }
  for await (const batch of planned) {
    tokens += countLossTokens([batch])
    addLengths(lengths, [batch])
    yield* rowsOf([batch])
  }
  made.evaluations[set] = { tokens, ...(records.kind === 'pairs' && { lengths: meanLengths(lengths) }) }
}

function countLossTokens(batches: readonly PlannedBatch[]): number {
  return batches.reduce((sum, { rows }) => sum + rows.reduce((all, { predictions }) => all + predictions.length, 0), 0)
}

/** Adds the response lengths of a step's pairs. */
function addLengths(sums: ResponseLengths & { pairs: number }, step: readonly PlannedBatch[]): typeof sums {
  for (const { pair } of step.flatMap(({ trees }) => trees.flatMap(({ pairs }) => pairs))) {
    sums.pairs++
    sums.chosen += pair.chosenTokens.length
    sums.rejected += pair.rejectedTokens.length
  }
  return sums
}

function meanLengths({ pairs, chosen, rejected }: ResponseLengths & { pairs: number }): ResponseLengths {
  return { chosen: chosen / pairs, rejected: rejected / pairs }
}

function longestList(row: Lists): number {
  return Math.max(...Object.values(row).map((list) => list.length))
}

function* rowsOf(batches: readonly PlannedBatch[]): Generator<Lists> {
  for (const { rows, trees } of batches) {
    if (trees.length === 0) for (const row of rows) yield packedRow(row)
    for (const { pair } of trees.flatMap(({ pairs }) => pairs)) {
      yield pairRow(pair)
    }
  }
}

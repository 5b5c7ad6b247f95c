// A job's data as optimizer steps of micro-batches, in an order that seed and step alone decide.
import { internal, UserError } from '../base/errors.ts'
import { type Batch, makeBatch, type Row } from '../training/batch.ts'
import { countPredictions, cutDocument, layOutRow, type Piece, packDocuments } from '../training/documents.ts'
import { nextTokenWeights, type ObjectiveWeights, preferenceWeights } from '../training/objective.ts'
import {
  divideTrees,
  growTrees,
  orderPairs,
  type Pair,
  type PreferenceTree,
  responseKey,
} from '../training/preference-groups.ts'
import type { TrainingJob } from './engine.ts'
import {
  type DocumentRecords,
  type NumberedPair,
  type PairRecords,
  pairWindows,
  type Records,
} from './training-records.ts'

/** A micro-batch before it is laid out as arrays. */
export interface PlannedBatch {
  rows: Row[]
  /** Documents or pairs in it. */
  ids: string[]
  /** Preference objectives: the trees that the rows are. */
  trees: PreferenceTree<NumberedPair>[]
}

export type PlannedStep = PlannedBatch[]

/** Reads the records of a step that is planned. */
export type StepReader = () => Promise<PlannedStep>

/** The log-probabilities of each pair's chosen and rejected response in turn, under the reference model; none where there is no reference. */
export type ReferenceScores = Float64Array

/**
 * The longest row that the records make, which the rotary tables must reach: ONNX Runtime asks for that, though positions
 * in a tree stay below.
 */
export function longestRow(records: Records, job: TrainingJob, contextTokens: number): number {
  if (records.kind === 'documents') return documentRowTokens(job, contextTokens)
  return Math.max(records.longest, 'maxTokens' in job.batch ? job.batch.maxTokens : 0)
}

/** Tokens of a row of documents: never more than the context or a micro-batch. */
export function documentRowTokens(job: TrainingJob, contextTokens: number): number {
  return 'tokens' in job.batch ? Math.min(job.batch.sequenceTokens, job.batch.tokens, contextTokens) : contextTokens
}

/** The job's optimizer steps from the first on, each to be read when its turn comes. */
export function* planSteps(records: Records, job: TrainingJob, rowTokens: number): Generator<StepReader> {
  const wanted = job.steps ?? Number.POSITIVE_INFINITY
  let step = 0
  const steps = records.kind === 'documents' ? documentSteps(records, job, rowTokens) : pairSteps(records, job)
  for (const planned of steps) {
    if (step++ === wanted) return
    yield planned
  }
}

/** The steps from `first` on, each read while whoever takes them is at work on the one before. */
export async function* readSteps(plan: Iterable<StepReader>, first = 1): AsyncGenerator<PlannedStep> {
  let step = 0
  let next: Promise<PlannedStep> | undefined
  for (const read of plan) {
    if (++step < first) continue
    const current = next
    next = read()
    next.catch(() => {}) // told when its turn comes, if it comes
    if (current !== undefined) yield await current
  }
  if (next !== undefined) yield await next
}

/** How many optimizer steps the job has; none, because so small a part of the data is passed over, is a UserError. */
export function countSteps(records: Records, job: TrainingJob, rowTokens: number): number {
  if (job.steps !== undefined) return job.steps
  let steps = 0
  for (const _ of planSteps(records, job, rowTokens)) steps++
  if (steps > 0) return steps
  const data = `${records.rows.count} ${records.kind}`
  throw new UserError(`${job.trainingFile}: ${job.epochs} passes over its ${data} come to no step. Raise epochs.`)
}

/** Passes over the data; as many as the steps need where those are given. */
function epochsOf(job: TrainingJob): number {
  return job.steps === undefined
    ? (job.epochs ?? internal('a job with neither epochs nor steps'))
    : Number.POSITIVE_INFINITY
}

function pairsOf(job: TrainingJob): number {
  return 'pairs' in job.batch ? job.batch.pairs : internal('a batch of tokens for pairs')
}

function* documentSteps(records: DocumentRecords, job: TrainingJob, rowTokens: number): Generator<StepReader> {
  const epochs = epochsOf(job)
  function* allRows() {
    for (let epoch = 0; epoch < epochs; epoch++) {
      yield* packDocuments(records.lengths, rowTokens, job.seed, epoch, Math.min(1, epochs - epoch))
    }
  }
  for (const batches of inGroups(inGroups(allRows(), rowsPerBatch(job, rowTokens)), job.accumulate)) {
    yield () => readDocumentBatches(records, batches)
  }
}

function rowsPerBatch({ batch }: TrainingJob, rowTokens: number): number {
  if (!('tokens' in batch)) internal('a batch of pairs for documents')
  return Math.max(1, Math.floor(batch.tokens / rowTokens))
}

async function readDocumentBatches({ rows }: DocumentRecords, batches: readonly Piece[][][]): Promise<PlannedBatch[]> {
  const numbers = [...new Set(batches.flat(2).map(({ document }) => document))]
  const documents = new Map((await rows.read(numbers)).map((document, i) => [numbers[i]!, document]))
  const documentOf = (number: number) => documents.get(number) ?? internal('a document that was not read')
  return batches.map((batch) => {
    const laidOut = batch.map((pieces) => layOutRow(pieces, documentOf))
    return { rows: laidOut.map(({ row }) => row), ids: laidOut.flatMap(({ ids }) => ids), trees: [] }
  })
}

function* pairSteps({ rows, questions }: PairRecords, job: TrainingJob): Generator<StepReader> {
  const epochs = epochsOf(job)
  function* allPairs() {
    for (let epoch = 0; epoch < epochs; epoch++) {
      const count = Math.round(Math.min(1, epochs - epoch) * questions.length)
      yield* orderPairs(questions, job.seed, epoch).subarray(0, count)
    }
  }
  for (const numbers of inGroups(allPairs(), pairsOf(job))) {
    yield async () => {
      const pairs = await rows.read(numbers)
      return planPairs(
        pairs.map((pair, i) => ({ ...pair, number: numbers[i]! })),
        job,
      )
    }
  }
}

/** Pairs as micro-batches of trees. */
export function planPairs(pairs: readonly NumberedPair[], job: TrainingJob): PlannedStep {
  const { maxTokens } = 'maxTokens' in job.batch ? job.batch : internal('a batch of tokens for pairs')
  return divideTrees(growTrees(pairs, maxTokens), maxTokens, job.accumulate).map((trees) => ({
    rows: trees.map(({ row }) => row),
    ids: trees.flatMap((tree) => tree.pairs.map(({ pair }) => pair.id)),
    trees,
  }))
}

function* inGroups<T>(items: Iterable<T>, size: number): Generator<T[]> {
  let group: T[] = []
  for (const item of items) {
    group.push(item)
    if (group.length < size) continue
    yield group
    group = []
  }
  if (group.length > 0) yield group
}

/** All of an evaluation file as micro-batches: documents longest first, since like lengths pad least. */
export async function* planEvaluation(
  records: Records,
  job: TrainingJob,
  rowTokens: number,
): AsyncGenerator<PlannedBatch> {
  if (records.kind === 'pairs') {
    for await (const pairs of pairWindows([records])) yield* planPairs(pairs, { ...job, accumulate: 1 })
    return
  }
  const pieces: Piece[] = []
  for (let i = 0; i < records.rows.count; i++) pieces.push(...cutDocument(records.lengths, i, rowTokens))
  pieces.sort((a, b) => b.to - b.from - (a.to - a.from))
  for (const group of inGroups(pieces, rowsPerBatch(job, rowTokens))) {
    yield* await readDocumentBatches(records, [group.map((piece) => [piece])])
  }
}

/**
 * An evaluation file's documents packed as training packs them, for engines that average over rows: full rows weigh their
 * tokens alike.
 */
export async function* packEvaluation(records: DocumentRecords, rowTokens: number): AsyncGenerator<PlannedBatch> {
  for (const row of packDocuments(records.lengths, rowTokens, 0, 0)) yield* await readDocumentBatches(records, [[row]])
}

/** What the loss of all of an evaluation file is divided by: predictions, or pairs. */
export function countAllLosses(records: Records): number {
  return records.kind === 'documents' ? countPredictions(records.lengths) : records.rows.count
}

/** What a step's loss is divided by: predictions, or pairs. */
export function countLosses(batches: readonly PlannedBatch[], objective: TrainingJob['objective']): number {
  return batches.reduce(
    (sum, { rows, trees }) =>
      sum +
      (objective.kind === 'next-token'
        ? rows.reduce((all, row) => all + row.predictions.length, 0)
        : trees.reduce((all, tree) => all + tree.pairs.length, 0)),
    0,
  )
}

/** Lays out a micro-batch and its share of the loss; `total` as countLosses or countAllLosses gives it for the whole step or set. */
export function layOutBatch(
  planned: PlannedBatch,
  objective: TrainingJob['objective'],
  total: number,
  chunk: number,
  reference: ReferenceScores,
): { batch: Batch; weights: ObjectiveWeights } {
  const batch = makeBatch(planned.rows, chunk)
  const size = batch.targets.length
  if (objective.kind === 'next-token') return { batch, weights: nextTokenWeights(batch.predictions, size, total) }
  const margin = ({ number }: NumberedPair) => referenceOf(reference, number, 0) - referenceOf(reference, number, 1)
  return { batch, weights: preferenceWeights(planned.trees, size, total, objective, margin) }
}

/** The log-probability of a pair's chosen (0) or rejected (1) response under the reference. */
export function referenceOf(reference: ReferenceScores, pair: number, side: 0 | 1): number {
  return reference[2 * pair + side] ?? internal('a response without reference score')
}

/** Adds up log-probabilities by response, in double. */
export function sumResponses(trees: readonly PreferenceTree[], logProbabilities: Float32Array): Map<string, number> {
  const sums = new Map<string, number>()
  let start = 0
  for (const { row, responses } of trees) {
    for (const { key, from, to } of responses) {
      let sum = 0
      for (let t = start + from; t < start + to; t++) sum += logProbabilities[t]!
      sums.set(key, sum)
    }
    start += row.predictions.length
  }
  return sums
}

/** Both responses' keys of a pair. */
export function pairKeys({ promptTokens, chosenTokens, rejectedTokens }: Pair): { chosen: string; rejected: string } {
  return { chosen: responseKey(promptTokens, chosenTokens), rejected: responseKey(promptTokens, rejectedTokens) }
}

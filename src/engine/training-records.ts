// A job's documents or pairs: every one checked, then only what planning needs kept in memory (20 bytes each); tokens are read
// from the file when their step is laid out.

import { Column } from '../base/column.ts'
import { UserError } from '../base/errors.ts'
import { RecordFile } from '../data/record-file.ts'
import type { PairRow, TokenRow } from '../data/records.ts'
import type { DocumentLengths } from '../training/documents.ts'
import type { Objective } from './engine.ts'

export type Records = DocumentRecords | PairRecords

export interface DocumentRecords {
  kind: 'documents'
  rows: RecordFile<TokenRow>
  lengths: DocumentLengths
}

export interface PairRecords {
  kind: 'pairs'
  rows: RecordFile<PairRow>
  /** Each pair's question, these numbered in the order in which they first come. */
  questions: Uint32Array
  /** Tokens of the longest prompt with both its responses. */
  longest: number
}

/** A pair and its place among the pairs that it was read with. */
export interface NumberedPair extends PairRow {
  number: number
}

/** What the model allows. */
export interface Limits {
  vocabularySize: number
  contextTokens: number
}

/** Looks a training or evaluation file over: every row's form, every token, every pair's length. */
export function readRecords(file: string, objective: Objective, limits: Limits): Promise<Records> {
  return objective.kind === 'next-token' ? readDocumentRecords(file, limits) : readPairRecords(file, limits)
}

export async function readDocumentRecords(file: string, limits: Limits): Promise<DocumentRecords> {
  const tokens = new Column(Uint32Array)
  const lossFrom = new Column(Uint32Array)
  let predicts = false
  const rows = await RecordFile.open<TokenRow>(file, (value) => {
    const problem = documentProblem(value, limits)
    if (problem !== undefined) return problem
    const row = value as TokenRow
    const { length } = row.tokens
    tokens.push(length)
    lossFrom.push(Math.min(row.lossFrom, length)) // behind the last token there is no loss, however far behind
    predicts ||= length > Math.max(1, row.lossFrom)
    return undefined
  })
  if (rows.count === 0) throw new UserError(`${file}: holds no documents.`)
  if (!predicts) {
    throw new UserError(`${file}: no document has a token with a loss (tokens after lossFrom and after its first one).`)
  }
  return { kind: 'documents', rows, lengths: { tokens: tokens.values, lossFrom: lossFrom.values } }
}

export async function readPairRecords(file: string, limits: Limits): Promise<PairRecords> {
  const questions = new Column(Uint32Array)
  const numbers = new Map<string, number>()
  let longest = 0
  const rows = await RecordFile.open<PairRow>(file, (value) => {
    const problem = pairProblem(value, limits)
    if (problem !== undefined) return problem
    const { question, promptTokens, chosenTokens, rejectedTokens } = value as PairRow
    const number = numbers.get(question) ?? numbers.size
    numbers.set(question, number)
    questions.push(number)
    longest = Math.max(longest, promptTokens.length + chosenTokens.length + rejectedTokens.length)
    return undefined
  })
  if (rows.count === 0) throw new UserError(`${file}: holds no preference pairs.`)
  return { kind: 'pairs', rows, questions: questions.values, longest }
}

function documentProblem(value: unknown, limits: Limits): string | undefined {
  const row = value as Partial<TokenRow> | null
  if (typeof row !== 'object' || row === null) return 'not an object.'
  if (typeof row.id !== 'string') return 'id must be a text.'
  if (!Array.isArray(row.tokens)) return 'tokens must be a list of token ids.'
  if (!Number.isInteger(row.lossFrom) || row.lossFrom! < 0) return 'lossFrom must be a whole number.'
  const bad = findForeign(row.tokens, limits)
  return bad === undefined ? undefined : `document ${row.id} has the token ${bad}, ${foreign(limits)}`
}

function pairProblem(value: unknown, limits: Limits): string | undefined {
  const row = value as Partial<PairRow> | null
  if (typeof row !== 'object' || row === null) return 'not an object.'
  if (typeof row.id !== 'string' || typeof row.question !== 'string') return 'id and question must be texts.'
  for (const name of ['promptTokens', 'chosenTokens', 'rejectedTokens'] as const) {
    const tokens = row[name]
    if (!Array.isArray(tokens)) return `${name} must be a list of token ids.`
    if (tokens.length === 0) return `pair ${row.id} has no ${name}.`
    const bad = findForeign(tokens, limits)
    if (bad !== undefined) return `pair ${row.id} has the token ${bad} in ${name}, ${foreign(limits)}`
  }
  const { promptTokens, chosenTokens, rejectedTokens } = row as PairRow
  const length = promptTokens.length + Math.max(chosenTokens.length, rejectedTokens.length)
  if (length <= limits.contextTokens) return undefined
  return `pair ${row.id} has ${length} tokens, the model's context ${limits.contextTokens}. Leave it out.`
}

function findForeign(tokens: readonly number[], { vocabularySize }: Limits): number | undefined {
  return tokens.find((token) => !Number.isInteger(token) || token < 0 || token >= vocabularySize)
}

function foreign({ vocabularySize }: Limits): string {
  return `the model's vocabulary has ${vocabularySize}. It was tokenised for another model.`
}

/** Tokens of pairs that are held at once where all of a file are gone through: 150 MB with what is made of them. */
const windowTokens = 2_000_000
const readAtOnce = 64

/** All pairs of some files, numbered through, as many at once as memory allows. */
export async function* pairWindows(sets: readonly PairRecords[]): AsyncGenerator<NumberedPair[]> {
  let window: NumberedPair[] = []
  let tokens = 0
  let number = 0
  for (const { rows } of sets) {
    for (let start = 0; start < rows.count; start += readAtOnce) {
      const numbers = Array.from({ length: Math.min(readAtOnce, rows.count - start) }, (_, i) => start + i)
      for (const pair of await rows.read(numbers)) {
        window.push({ ...pair, number: number++ })
        tokens += pair.promptTokens.length + pair.chosenTokens.length + pair.rejectedTokens.length
      }
      if (tokens < windowTokens) continue
      yield window
      window = []
      tokens = 0
    }
  }
  if (window.length > 0) yield window
}

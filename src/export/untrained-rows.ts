// Tokens whose rows of embedding or head were never trained: nothing tells such a row from the other rows like it, so a
// model that ought to write the token writes any of them. LoRA on the linear layers does not mend that.
//
// Rows that training never touched share one fate: the same small vector, or the same push away from every text. So a row
// is taken as untrained where at least a few others are nearly the same vector, or where it lies among the rows that belong
// to no token at all (an embedding is often longer than its vocabulary).
import { UserError } from '../base/errors.ts'
import { pieceValues, readPieces, type StoredTensor } from '../formats/safetensors.ts'
import { findWeight, openWeights } from '../formats/weights.ts'
import type { ModelConfig } from '../model/config.ts'
import { embeddingName, headName } from '../model/weights.ts'

export interface UntrainedRow {
  token: number
  /** In which table: what reads the token, or what writes it (the same one where they are tied). */
  table: 'embedding' | 'head'
  /** How many other rows cannot be told from it. */
  alike: number
}

/** Rows are alike from this cosine on, where their lengths differ by a tenth at most. Trained rows stay below 0.7. */
const alikeCosine = 0.95
const alikeLength = 0.1
/** Two words of one meaning may come near each other; this many rows that are all alike are no words. */
const fewestAlike = 3
/** So many rows without a token show where untrained ones lie; others like them lie at most a little farther out. */
const fewestSpare = 8
const spareMargin = 1.1

/**
 * Looks at some tokens' rows. Reads both tables twice, a piece at a time. A token without a row is a UserError.
 * @param vocabularySize ids from here on belong to no token.
 */
export async function findUntrainedRows(
  folder: string,
  config: ModelConfig,
  tokens: readonly number[],
  vocabularySize: number,
): Promise<UntrainedRow[]> {
  const weights = await openWeights(folder)
  const names = config.tiedEmbeddings ? [headName(config)] : [embeddingName, headName(config)]
  const found: UntrainedRow[] = []
  for (const name of names) {
    const tensor = findWeight(weights, name, [config.vocabularySize, config.width])
    const looks = await lookAt(tensor, new Set(tokens), vocabularySize)
    const table = name === headName(config) ? 'head' : 'embedding'
    for (const token of tokens) {
      const { alike, isSpare } = looks.get(token) ?? refuseToken(folder, token, config)
      const spare = isSpare ? config.vocabularySize - vocabularySize : 0
      if (alike >= fewestAlike || spare > 0) found.push({ token, table, alike: Math.max(alike, spare) })
    }
  }
  return found
}

function refuseToken(folder: string, token: number, { vocabularySize }: ModelConfig): never {
  throw new UserError(
    `${folder}: token ${token} ends an answer or stands in the chat template, but the model has only ${vocabularySize} tokens. Is the tokenizer another model's?`,
  )
}

/** What is known of a token's row: how many are like it, and whether it lies among the rows without a token. */
interface Look {
  alike: number
  isSpare: boolean
}

async function lookAt(
  table: StoredTensor,
  tokens: ReadonlySet<number>,
  firstSpare: number,
): Promise<Map<number, Look>> {
  const [height, width] = table.shape as [number, number]
  const own = new Map<number, { row: Float32Array; length: number; alike: number }>()
  const middle = new Float64Array(width)
  for await (const { id, row } of readRows(table)) {
    if (tokens.has(id)) own.set(id, { row: row.slice(), length: lengthOf(row), alike: 0 })
    if (id >= firstSpare) for (let i = 0; i < width; i++) middle[i]! += row[i]! / (height - firstSpare)
  }
  let farthest = 0
  for await (const { id, row } of readRows(table)) {
    const length = lengthOf(row)
    for (const [token, look] of own) if (id !== token && isAlike(row, length, look)) look.alike++
    if (id >= firstSpare) farthest = Math.max(farthest, distance(row, middle))
  }
  const isSpare = (row: Float32Array) =>
    height - firstSpare >= fewestSpare && distance(row, middle) <= spareMargin * farthest
  return new Map([...own].map(([token, { row, alike }]) => [token, { alike, isSpare: isSpare(row) }]))
}

/** The rows of a table one after the other, each good until the next. */
async function* readRows(table: StoredTensor): AsyncGenerator<{ id: number; row: Float32Array }> {
  const width = table.shape[1]!
  let id = 0
  for await (const values of readPieces(table, width * Math.ceil(pieceValues / width))) {
    for (let at = 0; at < values.length; at += width) yield { id: id++, row: values.subarray(at, at + width) }
  }
}

function isAlike(row: Float32Array, length: number, own: { row: Float32Array; length: number }): boolean {
  if (Math.abs(length - own.length) > alikeLength * Math.max(own.length, length)) return false
  // Two rows of zeros are alike.
  return own.length === 0 || product(row, own.row) >= alikeCosine * own.length * length
}

function lengthOf(row: Float32Array): number {
  return Math.sqrt(product(row, row))
}

function product(one: Float32Array, other: Float32Array): number {
  let sum = 0
  for (let i = 0; i < one.length; i++) sum += one[i]! * other[i]!
  return sum
}

function distance(row: Float32Array, middle: Float64Array): number {
  let sum = 0
  for (let i = 0; i < row.length; i++) sum += (row[i]! - middle[i]!) ** 2
  return Math.sqrt(sum)
}

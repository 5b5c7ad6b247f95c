// Next-token training: documents shuffled, cut where longer than a row, packed into rows; no token is lost.
import { UserError } from '../base/errors.ts'
import { Random } from '../base/random.ts'
import { joinRows, type Row } from './batch.ts'

/** A tokenised text: the loss is on tokens[lossFrom..], each predicted from those before it. */
export interface Document {
  id: string
  tokens: readonly number[]
  lossFrom: number
}

/** A row and the documents that stand in it. */
export interface DocumentRow {
  row: Row
  ids: string[]
}

/** Rows that wait for a document that fits: more pack tighter, but move documents further from their place in the order. */
const openRows = 64

/** Checks token ids against the vocabulary. */
export function checkDocuments(file: string, documents: readonly Document[], vocabularySize: number): void {
  if (documents.length === 0) throw new UserError(`${file}: holds no documents.`)
  if (!documents.some(({ tokens, lossFrom }) => tokens.length > Math.max(1, lossFrom))) {
    throw new UserError(`${file}: no document has a token with a loss (tokens after lossFrom and after its first one).`)
  }
  for (const { id, tokens } of documents) {
    const bad = tokens.find((token) => !Number.isInteger(token) || token < 0 || token >= vocabularySize)
    if (bad !== undefined) {
      throw new UserError(
        `${file}: document ${id} has the token ${bad}, the model's vocabulary has ${vocabularySize}. It was tokenised for another model.`,
      )
    }
  }
}

/**
 * The rows of one pass over the documents, in an order fixed by seed and epoch. `share` below 1 takes that share of them.
 * A document of n tokens needs n - 1 places, as nothing is predicted from its last one; one that needs more than
 * `rowTokens` is cut into pieces, each predicting on from where the last one ended.
 */
export function* packDocuments(
  documents: readonly Document[],
  rowTokens: number,
  seed: number,
  epoch: number,
  share = 1,
): Generator<DocumentRow> {
  const order = new Random(seed, 'documents', epoch).shuffled(documents)
  const taken = order.slice(0, Math.round(share * order.length))
  const open: { rows: DocumentRow[]; free: number }[] = []
  for (const piece of taken.flatMap((document) => cutDocument(document, rowTokens))) {
    const size = piece.row.segments[0]?.tokens.length ?? 0
    // The fullest row that still has room.
    let best: (typeof open)[number] | undefined
    for (const row of open) if (row.free >= size && (best === undefined || row.free < best.free)) best = row
    if (best === undefined) {
      if (open.length === openRows) yield close(open)
      best = { rows: [], free: rowTokens }
      open.push(best)
    }
    best.rows.push(piece)
    best.free -= size
  }
  while (open.length > 0) yield close(open)
}

/** Takes out the oldest row. */
function close(open: { rows: DocumentRow[] }[]): DocumentRow {
  const rows = open.shift()?.rows ?? []
  return { row: joinRows(rows.map(({ row }) => row)), ids: [...new Set(rows.flatMap(({ ids }) => ids))] }
}

/** A document as rows of at most `rowTokens`; none if nothing in it is predicted. */
export function cutDocument({ id, tokens, lossFrom }: Document, rowTokens: number): DocumentRow[] {
  const pieces: DocumentRow[] = []
  for (let start = 0; start < tokens.length - 1; start += rowTokens) {
    const end = Math.min(start + rowTokens, tokens.length - 1)
    const row: Row = { segments: [{ tokens: tokens.slice(start, end), firstPosition: 0 }], predictions: [] }
    for (let i = Math.max(start, lossFrom - 1); i < end; i++) {
      row.predictions.push({ place: i - start, target: tokens[i + 1] as number })
    }
    if (row.predictions.length > 0) pieces.push({ row, ids: [id] })
  }
  return pieces
}

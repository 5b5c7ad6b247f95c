// Next-token training: documents shuffled, cut where longer than a row, packed into rows; no token is lost. All of that is
// planned by lengths alone: the tokens of a row are wanted only when it is laid out.
import { Random } from '../base/random.ts'
import { joinRows, type Row } from './batch.ts'

/** A tokenised text: the loss is on tokens[lossFrom..], each predicted from those before it. */
export interface Document {
  id: string
  tokens: readonly number[]
  lossFrom: number
}

/** Of documents by number: how many tokens each has, and its lossFrom. */
export interface DocumentLengths {
  tokens: ArrayLike<number>
  lossFrom: ArrayLike<number>
}

/** What of a document stands in one row: its tokens from `from` to before `to`, of which those from `predictsFrom` on predict their next one. */
export interface Piece {
  document: number
  from: number
  to: number
  predictsFrom: number
}

/** A row and the documents that stand in it. */
export interface DocumentRow {
  row: Row
  ids: string[]
}

/** Rows that wait for a document that fits: more pack tighter, but move documents further from their place in the order. */
const openRows = 64

/**
 * The rows of one pass over the documents, in an order fixed by seed and epoch. `share` below 1 takes that share of them.
 * A document of n tokens needs n - 1 places, as nothing is predicted from its last one; one that needs more than
 * `rowTokens` is cut into pieces, each predicting on from where the last one ended.
 */
export function* packDocuments(
  documents: DocumentLengths,
  rowTokens: number,
  seed: number,
  epoch: number,
  share = 1,
): Generator<Piece[]> {
  const order = new Random(seed, 'documents', epoch).order(documents.tokens.length)
  const open: { pieces: Piece[]; free: number }[] = []
  for (const document of order.subarray(0, Math.round(share * order.length))) {
    for (const piece of cutDocument(documents, document, rowTokens)) {
      const size = piece.to - piece.from
      // The fullest row that still has room.
      let best: (typeof open)[number] | undefined
      for (const row of open) if (row.free >= size && (best === undefined || row.free < best.free)) best = row
      if (best === undefined) {
        if (open.length === openRows) yield open.shift()?.pieces ?? []
        best = { pieces: [], free: rowTokens }
        open.push(best)
      }
      best.pieces.push(piece)
      best.free -= size
    }
  }
  for (const { pieces } of open) yield pieces
}

/** A document as pieces of at most `rowTokens`; none if nothing in it is predicted. */
export function cutDocument({ tokens, lossFrom }: DocumentLengths, document: number, rowTokens: number): Piece[] {
  const pieces: Piece[] = []
  const places = tokens[document]! - 1
  for (let from = 0; from < places; from += rowTokens) {
    const to = Math.min(from + rowTokens, places)
    const predictsFrom = Math.max(from, lossFrom[document]! - 1)
    if (predictsFrom < to) pieces.push({ document, from, to, predictsFrom })
  }
  return pieces
}

/** Predictions that documents have, however they are cut. */
export function countPredictions({ tokens, lossFrom }: DocumentLengths): number {
  let count = 0
  for (let i = 0; i < tokens.length; i++) count += Math.max(0, tokens[i]! - Math.max(1, lossFrom[i]!))
  return count
}

/** Pieces behind one another in one row; `documentOf` knows the tokens. */
export function layOutRow(pieces: readonly Piece[], documentOf: (number: number) => Document): DocumentRow {
  const rows = pieces.map(({ document, from, to, predictsFrom }): Row => {
    const { tokens } = documentOf(document)
    const row: Row = { segments: [{ tokens: tokens.slice(from, to), firstPosition: 0 }], predictions: [] }
    for (let i = predictsFrom; i < to; i++) row.predictions.push({ place: i - from, target: tokens[i + 1] as number })
    return row
  })
  return { row: joinRows(rows), ids: [...new Set(pieces.map(({ document }) => documentOf(document).id))] }
}

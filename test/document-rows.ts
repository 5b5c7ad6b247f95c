// Documents that are held in memory, planned and laid out at once: what tests of rows begin with.
import { cutDocument, type Document, type DocumentRow, layOutRow, packDocuments } from '../src/training/documents.ts'

const lengthsOf = (documents: readonly Document[]) => ({
  tokens: documents.map(({ tokens }) => tokens.length),
  lossFrom: documents.map(({ lossFrom }) => lossFrom),
})

/** See packDocuments. */
export function packRows(
  documents: readonly Document[],
  rowTokens: number,
  seed: number,
  epoch: number,
  share?: number,
): DocumentRow[] {
  const rows = [...packDocuments(lengthsOf(documents), rowTokens, seed, epoch, share)]
  return rows.map((pieces) => layOutRow(pieces, (number) => documents[number]!))
}

/** See cutDocument: each piece is a row of its own. */
export function cutRows(document: Document, rowTokens: number): DocumentRow[] {
  return cutDocument(lengthsOf([document]), 0, rowTokens).map((piece) => layOutRow([piece], () => document))
}

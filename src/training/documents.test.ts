// Packing documents: every token with a loss is predicted once, from the tokens before it, whatever the row length.
import { describe, expect, it } from 'vitest'
import { packRows } from '../../test/document-rows.ts'
import { rowLength } from './batch.ts'
import { countPredictions, type Document, type DocumentRow } from './documents.ts'

/** Tokens are numbered through, so that each names its document and place. */
const documents: Document[] = Array.from({ length: 40 }, (_, i) => ({
  id: `d${i}`,
  tokens: Array.from({ length: 1 + ((i * 7) % 23) }, (_, t) => 100 * i + t),
  lossFrom: i % 3 === 0 ? 4 : 1,
}))

const predictionsOf = (rows: DocumentRow[]) =>
  rows.flatMap(({ row }) => {
    const tokens = row.segments.flatMap((segment) => [...segment.tokens])
    return row.predictions.map(({ place, target }) => `${tokens[place]}>${target}`)
  })

const expected = documents.flatMap(({ tokens, lossFrom }) =>
  tokens.slice(lossFrom).map((target, i) => `${tokens[lossFrom + i - 1]}>${target}`),
)

describe('packing documents', () => {
  it.each([3, 8, 22, 64, 500])('predicts every token once in rows of %i', (rowTokens) => {
    const rows = packRows(documents, rowTokens, 1, 0)
    expect(predictionsOf(rows).sort()).toEqual([...expected].sort())
    for (const { row } of rows) expect(rowLength(row)).toBeLessThanOrEqual(rowTokens)
  })

  it('wastes little: rows are nearly full', () => {
    const rows = packRows(documents, 64, 1, 0)
    const used = rows.reduce((sum, { row }) => sum + rowLength(row), 0)
    expect(used / (64 * rows.length)).toBeGreaterThan(0.85)
  })

  it('keeps an order fixed by seed and epoch, and another in each', () => {
    const order = (seed: number, epoch: number) => packRows(documents, 8, seed, epoch).flatMap((row) => row.ids)
    expect(order(1, 0)).toEqual(order(1, 0))
    expect(order(1, 0)).not.toEqual(order(1, 1))
    expect(order(1, 0)).not.toEqual(order(2, 0))
  })

  it('takes a share of the documents', () => {
    const all = new Set(packRows(documents, 500, 1, 0).flatMap((row) => row.ids))
    const half = new Set(packRows(documents, 500, 1, 0, 0.5).flatMap((row) => row.ids))
    expect(half.size).toBeLessThanOrEqual(20)
    expect(half.size).toBeGreaterThan(15)
    expect([...half].every((id) => all.has(id))).toBe(true)
  })

  it('counts what is predicted without laying anything out', () => {
    const lengths = {
      tokens: documents.map(({ tokens }) => tokens.length),
      lossFrom: documents.map((one) => one.lossFrom),
    }
    expect(countPredictions(lengths)).toBe(expected.length)
  })
})

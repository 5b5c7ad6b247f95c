// Batches: rows of tokens in which several sequences or trees of sequences stand side by side without seeing each other.
import { internal } from '../base/errors.ts'
import { type SeenKeys, seenByBlocks } from './attention-blocks.ts'

/**
 * A run of tokens in a row that see only themselves and, where it has one, the segment that it hangs from
 * (and what that one hangs from). A document is one segment; a preference group is a prompt and the responses that hang from it.
 */
export interface Segment {
  tokens: readonly number[]
  /** Position of the first token: 0 in a document, the prompt's length in a response. */
  firstPosition: number
  /** Index of the segment of the same row that this one hangs from; it stands earlier. */
  parent?: number
}

/** A token to be predicted: its place in the row (the token before it), which no other prediction has, and what it is. */
export interface Prediction {
  place: number
  target: number
}

export interface Row {
  segments: Segment[]
  predictions: Prediction[]
}

/** What the model is fed. */
export interface Batch {
  rows: number
  /** Tokens a row, padding included. */
  tokens: number
  /** [rows*tokens] */
  tokenIds: Int32Array
  /** [rows*tokens] */
  positions: Int32Array
  /** [rows*tokens*tokens]: 0 where a token may see another, else `hidden`. */
  attentionBias: Float32Array
  /** What each block of attention sees in all rows together. */
  seen: SeenKeys[]
  /** [N], places in rows*tokens whose next token is predicted, in the order of rows and their predictions; padded with 0, see padPredictions. */
  lossPositions: Int32Array
  /** [N], padded with 0. */
  targets: Int32Array
  /** [rows*tokens]: which of the N a place predicts, or N where it predicts nothing. */
  predictionOf: Int32Array
  /** How many of the N are predictions, padding left out. */
  predictions: number
}

/** Added to the attention score of what must not be seen: e^-10000 is 0 in float32. */
const hidden = -10000

/** Lays rows out as arrays, as wide as the longest row. `chunk`: see tokenLogProbability. */
export function makeBatch(rows: readonly Row[], chunk = 0): Batch {
  const tokens = Math.max(...rows.map(rowLength))
  const size = rows.length * tokens
  const predictions = rows.reduce((sum, row) => sum + row.predictions.length, 0)
  const padded = padPredictions(predictions, chunk)
  const batch: Batch = {
    rows: rows.length,
    tokens,
    tokenIds: new Int32Array(size),
    positions: new Int32Array(size),
    attentionBias: new Float32Array(size * tokens).fill(hidden),
    seen: seenByBlocks(rows, tokens),
    lossPositions: new Int32Array(padded),
    targets: new Int32Array(padded),
    predictionOf: new Int32Array(size).fill(padded),
    predictions,
  }
  let filled = 0
  for (const [r, row] of rows.entries()) {
    layOut(batch, r, row.segments)
    for (const { place, target } of row.predictions) {
      if (batch.predictionOf[r * tokens + place] !== padded) internal('a place predicts twice')
      batch.predictionOf[r * tokens + place] = filled
      batch.lossPositions[filled] = r * tokens + place
      batch.targets[filled++] = target
    }
  }
  return batch
}

/** How many rows the head computes, so that its chunks are equally long; never one alone in a chunk, which would have other last bits. */
function padPredictions(predictions: number, chunk: number): number {
  if (chunk === 0) return Math.max(predictions, 1)
  const rows = Math.max(predictions, 2)
  const chunks = Math.ceil(rows / chunk)
  return chunks * Math.ceil(rows / chunks)
}

function layOut(batch: Batch, rowIndex: number, segments: readonly Segment[]): void {
  const { tokens, tokenIds, positions, attentionBias } = batch
  const start = rowIndex * tokens
  const ranges: { from: number; to: number; parent: number | undefined }[] = []
  let from = 0
  for (const segment of segments) {
    const to = from + segment.tokens.length
    const parent = segment.parent
    if (parent !== undefined && parent >= ranges.length) internal('a segment stands before the one it hangs from')
    ranges.push({ from, to, parent })
    for (let i = from; i < to; i++) {
      tokenIds[start + i] = segment.tokens[i - from] as number
      positions[start + i] = segment.firstPosition + i - from
      const seen = (start + i) * tokens
      attentionBias.fill(0, seen + from, seen + i + 1)
      for (let p = parent; p !== undefined; p = ranges[p]?.parent) {
        attentionBias.fill(0, seen + (ranges[p]?.from as number), seen + (ranges[p]?.to as number))
      }
    }
    from = to
  }
  // Padding sees itself, so that its softmax is defined.
  for (let i = from; i < tokens; i++) attentionBias[(start + i) * tokens + i] = 0
}

/** Tokens of a row, padding left out. */
export function rowLength(row: Row): number {
  return row.segments.reduce((sum, segment) => sum + segment.tokens.length, 0)
}

/** Puts rows behind one another in one: what they hold stays apart. */
export function joinRows(rows: readonly Row[]): Row {
  const joined: Row = { segments: [], predictions: [] }
  for (const row of rows) {
    const segmentsBefore = joined.segments.length
    const tokensBefore = rowLength(joined)
    for (const segment of row.segments) {
      const moved: Segment = { ...segment }
      if (segment.parent !== undefined) moved.parent = segment.parent + segmentsBefore
      joined.segments.push(moved)
    }
    for (const { place, target } of row.predictions) joined.predictions.push({ place: place + tokensBefore, target })
  }
  return joined
}

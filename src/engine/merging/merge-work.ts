// The work on a piece of a weight that is merged: read, rounded to the form it was trained in, the adapter's product added, stored.
import { open } from 'node:fs/promises'
import type { AdapterFactors } from '../../formats/adapter.ts'
import { roundToInt8 } from '../../formats/int8.ts'
import { measureBlocks, measureHalves, type Nf4Scales, roundBlocks } from '../../formats/nf4.ts'
import type { QuantisedForm } from '../../formats/quantised-forms.ts'
import {
  readStored,
  readTensor,
  readValues,
  type StoredTensor,
  widenValues,
  writeAll,
} from '../../formats/safetensors.ts'
import { storeValues, type WeightType } from '../../formats/safetensors-writer.ts'
import { LowRankProduct } from './low-rank.ts'

/** Whole rows of a weight, and whole blocks of NF4. */
export interface Piece {
  weight: StoredTensor
  /** In the weight, values. */
  from: number
  count: number
}

/** What is made of a piece, and where it goes. */
export interface MergePiece extends Piece {
  form?: QuantisedForm | undefined
  /** Those of the piece's blocks, where the form is NF4. */
  scales?: Nf4Scales | undefined
  /** What the adapter adds: its factors, and what their product is scaled by. Left out where it adds nothing. */
  adapter?: { factors: AdapterFactors<StoredTensor>; scale: number } | undefined
  /** The whole weight's place in the new file, with the type that it is stored as there. */
  place: StoredTensor
}

/** Sums of squares over weights that the adapter changes. */
export interface Squares {
  weights: number
  added: number
  rounded: number
}

/** Works on one piece at a time, in memory that it keeps. */
export interface MergeWorker {
  /** The largest magnitude of each block of a piece. */
  measure(piece: Piece): Promise<Float32Array>
  merge(piece: MergePiece): Promise<Squares>
  close(): Promise<void>
}

export class MergeWork implements MergeWorker {
  private product: Promise<LowRankProduct> | undefined
  private factors: { of: StoredTensor; a: Float32Array; b: Float32Array } | undefined
  private values = new Float32Array()
  private change = new Float32Array()
  private halves = new Uint16Array()

  async measure(piece: Piece): Promise<Float32Array> {
    const { weight, from, count } = piece
    const stored = await readStored(weight, from, count, this.room(count))
    return stored instanceof Float32Array ? measureBlocks(stored) : widenValues(measureHalves(stored), weight.dtype)
  }

  async merge(piece: MergePiece): Promise<Squares> {
    const { weight, from, count, form, scales, adapter, place } = piece
    const squares = { weights: 0, added: 0, rounded: 0 }
    const type = place.dtype as WeightType
    let values = await readValues(weight, from, count, this.room(count))
    if (scales !== undefined) roundBlocks(values, scales)
    if (form === 'int8') values = roundToInt8(values, weight.shape[1]!)
    if (adapter !== undefined) addChange(values, await this.multiply(piece, adapter), squares)
    if (type !== 'F32' && this.halves.length < count) this.halves = new Uint16Array(count)
    const stored = storeValues(values, type, this.halves.subarray(0, count))
    if (adapter !== undefined) squares.rounded = sumSquares(values, widenValues(stored, type, this.change))
    const handle = await open(place.file, 'r+')
    try {
      const bytes = new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength)
      await writeAll(handle, bytes, place.offset + from * stored.BYTES_PER_ELEMENT)
    } finally {
      await handle.close()
    }
    return squares
  }

  async close(): Promise<void> {
    await (await this.product)?.release()
  }

  /** Room for so many values, kept from piece to piece. */
  private room(count: number): Float32Array<ArrayBuffer> {
    if (this.values.length < count) this.values = new Float32Array(count)
    return this.values.subarray(0, count)
  }

  /** What the adapter adds to a piece. */
  private async multiply(
    { from, count }: Piece,
    { factors, scale }: NonNullable<MergePiece['adapter']>,
  ): Promise<Float32Array> {
    const { name, file } = factors.a
    if (this.factors?.of.name !== name || this.factors.of.file !== file) {
      this.factors = { of: factors.a, a: await readTensor(factors.a), b: await readTensor(factors.b) }
    }
    const { a, b } = this.factors
    const [rank, inputs] = factors.a.shape as [number, number]
    const rows = b.subarray((from / inputs) * rank, ((from + count) / inputs) * rank)
    if (this.change.length < count) this.change = new Float32Array(count)
    this.product ??= LowRankProduct.open(1)
    const change = this.change.subarray(0, count)
    await (await this.product).multiply({ a, b: rows }, rank, scale, change)
    return change
  }
}

function addChange(values: Float32Array, change: Float32Array, squares: Squares): void {
  let [weights, added] = [0, 0]
  for (let i = 0; i < values.length; i++) {
    const before = values[i]!
    const after = Math.fround(before + change[i]!)
    values[i] = after
    weights += before * before
    added += (after - before) * (after - before)
  }
  squares.weights = weights
  squares.added = added
}

/** Sum of squares of the differences between values and what is stored of them. */
function sumSquares(values: Float32Array, stored: Float32Array): number {
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += (stored[i]! - values[i]!) * (stored[i]! - values[i]!)
  return sum
}

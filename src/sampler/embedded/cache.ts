// Keys and values of tokens that were computed: one row a sequence, in arrays that the graph reads where they lie.
import type { ModelConfig } from '../../model/config.ts'
import type { Tensor } from '../../runtime/session.ts'

/** Rows have room for a multiple of this many tokens. Also keeps vector lanes, and with them the bits, the same whatever the room. */
const ROOM_BLOCK = 32

/** The least room, in tokens, that holds `length` tokens. */
export function roomFor(length: number): number {
  return Math.max(ROOM_BLOCK, Math.ceil(length / ROOM_BLOCK) * ROOM_BLOCK)
}

/** A cache of `rows` rows with `room` tokens each, of which row r uses the first `lengths[r]`. */
export class KeyValueCache {
  /** One array a layer: [rows, keyValueHeads, room, headWidth]. */
  private keys: Float32Array[]
  private values: Float32Array[]
  /** [rows, room]: 0 where there is a token, -Infinity where there is none. */
  private bias: Float32Array
  private room = ROOM_BLOCK
  private readonly lengths: Int32Array
  private readonly heads: number
  private readonly width: number
  private readonly layers: number

  constructor(config: ModelConfig, rows: number) {
    this.heads = config.keyValueHeads
    this.width = config.headWidth
    this.layers = config.layers
    this.lengths = new Int32Array(rows)
    this.keys = this.allocate()
    this.values = this.allocate()
    this.bias = new Float32Array(rows * this.room).fill(Number.NEGATIVE_INFINITY)
  }

  lengthOf(row: number): number {
    return this.lengths[row]!
  }

  /** Gives every row room for exactly as many tokens as the longest asked for needs. */
  fit(length: number): void {
    const room = roomFor(length)
    if (room === this.room) return
    const old = { keys: this.keys, values: this.values, room: this.room }
    this.room = room
    this.keys = this.allocate()
    this.values = this.allocate()
    this.bias = new Float32Array(this.lengths.length * room).fill(Number.NEGATIVE_INFINITY)
    for (let row = 0; row < this.lengths.length; row++) {
      const length = this.lengths[row]!
      this.bias.fill(0, row * room, row * room + length)
      for (let head = row * this.heads; head < (row + 1) * this.heads; head++) {
        const from = head * old.room * this.width
        const to = head * room * this.width
        for (let layer = 0; layer < this.layers; layer++) {
          this.keys[layer]!.set(old.keys[layer]!.subarray(from, from + length * this.width), to)
          this.values[layer]!.set(old.values[layer]!.subarray(from, from + length * this.width), to)
        }
      }
    }
  }

  /** Empties a row. Its old numbers stay, masked. */
  clear(row: number): void {
    this.lengths[row] = 0
    this.bias.fill(Number.NEGATIVE_INFINITY, row * this.room, (row + 1) * this.room)
  }

  /**
   * Adds the first `count` tokens of row `source` of a step's results, each layer's [sources, keyValueHeads, tokens, headWidth].
   * The row must have room.
   */
  append(
    row: number,
    newKeys: Float32Array[],
    newValues: Float32Array[],
    source: number,
    tokens: number,
    count: number,
  ) {
    const length = this.lengths[row]!
    const size = count * this.width
    for (let layer = 0; layer < this.layers; layer++) {
      for (let head = 0; head < this.heads; head++) {
        const from = (source * this.heads + head) * tokens * this.width
        const to = ((row * this.heads + head) * this.room + length) * this.width
        copy(newKeys[layer]!, from, this.keys[layer]!, to, size)
        copy(newValues[layer]!, from, this.values[layer]!, to, size)
      }
    }
    this.lengths[row] = length + count
    this.bias.fill(0, row * this.room + length, row * this.room + length + count)
  }

  /** Copies one row over another. */
  copyRow(from: number, to: number): void {
    const stride = this.heads * this.room * this.width
    for (const array of [...this.keys, ...this.values])
      array.copyWithin(to * stride, from * stride, (from + 1) * stride)
    this.bias.copyWithin(to * this.room, from * this.room, (from + 1) * this.room)
    this.lengths[to] = this.lengths[from]!
  }

  /** Copies a row of another cache into a row, which must have room. */
  copyFrom(other: KeyValueCache, from: number, to: number): void {
    const length = other.lengths[from]!
    for (let head = 0; head < this.heads; head++) {
      const start = (from * this.heads + head) * other.room * this.width
      const end = start + length * this.width
      const target = (to * this.heads + head) * this.room * this.width
      for (let layer = 0; layer < this.layers; layer++) {
        this.keys[layer]!.set(other.keys[layer]!.subarray(start, end), target)
        this.values[layer]!.set(other.values[layer]!.subarray(start, end), target)
      }
    }
    this.clear(to)
    this.lengths[to] = length
    this.bias.fill(0, to * this.room, to * this.room + length)
  }

  /** The first rows as tensors, in place: as many as the bias is asked to have, in its shape, and each layer's keys and values. */
  view(biasRows: number[]): { bias: Tensor; keys: Tensor[]; values: Tensor[] } {
    const count = biasRows.reduce((a, b) => a * b)
    const size = this.heads * this.room * this.width
    const shape = [count, this.heads, this.room, this.width]
    const part = (array: Float32Array): Tensor => ({ shape, data: array.subarray(0, count * size) })
    return {
      bias: { shape: [...biasRows, this.room], data: this.bias.subarray(0, count * this.room) },
      keys: this.keys.map(part),
      values: this.values.map(part),
    }
  }

  private allocate(): Float32Array[] {
    const size = this.lengths.length * this.heads * this.room * this.width
    return Array.from({ length: this.layers }, () => new Float32Array(size))
  }
}

/** A loop, because `set` on a subarray costs more than the few numbers that a decoding step moves. */
function copy(source: Float32Array, from: number, target: Float32Array, to: number, size: number): void {
  for (let i = 0; i < size; i++) target[to + i] = source[from + i]!
}

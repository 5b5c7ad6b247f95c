// Byte-pair encoding of one word: pairs merged lowest rank first, leftmost among equals, over numbers in flat arrays.
// The library's own merging, which this takes the place of, joins strings and looks them up as JSON: a fifth of the speed.
import type { Tokenizer as Encoder } from '@huggingface/tokenizers'

/** A pair that no merge joins. */
const none = -1
/** In the queue a rank and a position are one number: 2^20 ranks and more fit beside 32 bits. */
const positions = 2 ** 32

/** What of the library's byte-pair model is looked at, and changed. */
export interface LibraryModel {
  tokens_to_ids: Map<string, number>
  vocab: string[]
  merges: [string, string][]
  bpe_ranks: Map<string, number>
  end_of_word_suffix?: string
  continuing_subword_suffix?: string | null
  /** A word's tokens. */
  bpe(word: string): string[]
}

/** Puts merging by numbers into an encoder where its model is byte-pair encoding of a kind that this knows. */
export function mergeByNumbers(encoder: Encoder): void {
  if (encoder.model === null || !('bpe_ranks' in encoder.model)) return
  const model = encoder.model as unknown as LibraryModel
  if (model.end_of_word_suffix || model.continuing_subword_suffix) return
  const ids = model.tokens_to_ids
  const isWhole = model.merges.every(([left, right]) => ids.has(left) && ids.has(right) && ids.has(left + right))
  if (!isWhole) return
  const merges = new PairMerges(ids, model.vocab, model.merges)
  model.bpe = (word) => merges.apply(word)
  // Tens of megabytes that nothing looks at any more.
  model.merges = []
  model.bpe_ranks.clear()
}

export class PairMerges {
  private readonly ids: ReadonlyMap<string, number>
  private readonly spellings: readonly string[]
  /** Open addressing: left and right id at 2 i and 2 i + 1, the merge's rank at i. */
  private readonly pairs: Int32Array
  private readonly ranks: Int32Array
  /** Rank -> id of what the merge makes. */
  private readonly made: Int32Array
  /** UTF-16 unit -> id of that one character. */
  private readonly idOfUnit = new Int32Array(1 << 16).fill(none)

  // The word at hand: a linked list of tokens by the position of their first character.
  private tokens = new Int32Array(256)
  private before = new Int32Array(256)
  private after = new Int32Array(256)
  /** Rank of the merge of a token with its right neighbour. */
  private waiting = new Int32Array(256)
  private readonly queue = new LeastFirst()

  /** @param merges by rank; both parts and the whole are in the vocabulary. */
  constructor(
    ids: ReadonlyMap<string, number>,
    spellings: readonly string[],
    merges: readonly (readonly [string, string])[],
  ) {
    this.ids = ids
    this.spellings = spellings
    for (const [spelling, id] of ids) if (spelling.length === 1) this.idOfUnit[spelling.charCodeAt(0)] = id
    const slots = 2 ** Math.ceil(Math.log2(2 * merges.length + 2))
    this.pairs = new Int32Array(2 * slots)
    this.ranks = new Int32Array(slots).fill(none)
    this.made = new Int32Array(merges.length)
    for (const [rank, [left, right]] of merges.entries()) {
      const [leftId, rightId] = [ids.get(left) as number, ids.get(right) as number]
      const slot = this.slotOf(leftId, rightId)
      this.pairs[2 * slot] = leftId
      this.pairs[2 * slot + 1] = rightId
      this.ranks[slot] = rank
      this.made[rank] = ids.get(left + right) as number
    }
  }

  /** The tokens of a word as the vocabulary spells them; a character that it lacks stands for itself. */
  apply(word: string): string[] {
    if (word === '') return []
    this.start(word)
    for (let next = this.queue.take(); next !== undefined; next = this.queue.take()) {
      const position = next % positions
      if (this.waiting[position] === (next - position) / positions) this.merge(position)
    }
    const spelt: string[] = []
    for (let at = 0; at >= 0; at = this.after[at]!) {
      const id = this.tokens[at]!
      spelt.push(id >= 0 ? this.spellings[id]! : String.fromCodePoint(-id - 1))
    }
    return spelt
  }

  /** Lays out a word character by character; one that is not in the vocabulary becomes -1 - its code point. */
  private start(word: string): void {
    this.reserve(word.length)
    const { tokens, before, after } = this
    let count = 0
    for (let at = 0; at < word.length; count++) {
      const codePoint = word.codePointAt(at)!
      const isPair = codePoint > 0xffff
      const id = isPair ? (this.ids.get(String.fromCodePoint(codePoint)) ?? none) : this.idOfUnit[codePoint]!
      tokens[count] = id === none ? -1 - codePoint : id
      before[count] = count - 1
      after[count] = count + 1
      at += isPair ? 2 : 1
    }
    after[count - 1] = none
    for (let position = 0; position < count; position++) this.look(position)
  }

  private merge(position: number): void {
    const { tokens, before, after, waiting } = this
    const right = after[position]!
    tokens[position] = this.made[waiting[position]!]!
    waiting[right] = none
    const next = after[right]!
    after[position] = next
    if (next >= 0) before[next] = position
    this.look(position)
    const previous = before[position]!
    if (previous >= 0) this.look(previous)
  }

  /** Queues the merge of a token with its right neighbour, where there is one. */
  private look(position: number): void {
    const right = this.after[position]!
    const rank = right < 0 ? none : this.ranks[this.slotOf(this.tokens[position]!, this.tokens[right]!)]!
    this.waiting[position] = rank
    if (rank !== none) this.queue.add(rank * positions + position)
  }

  /** Where a pair stands, or the free place where it would. */
  private slotOf(left: number, right: number): number {
    const mask = this.ranks.length - 1
    const hash = Math.imul(Math.imul(left, 0x9e3779b1) ^ right, 0x85ebca6b)
    let slot = (hash ^ (hash >>> 15)) & mask
    while (this.ranks[slot] !== none && (this.pairs[2 * slot] !== left || this.pairs[2 * slot + 1] !== right)) {
      slot = (slot + 1) & mask
    }
    return slot
  }

  private reserve(length: number): void {
    if (length <= this.tokens.length) return
    const size = 2 ** Math.ceil(Math.log2(length))
    this.tokens = new Int32Array(size)
    this.before = new Int32Array(size)
    this.after = new Int32Array(size)
    this.waiting = new Int32Array(size)
  }
}

/** A binary heap of numbers. */
class LeastFirst {
  private items = new Float64Array(256)
  private count = 0

  add(item: number): void {
    if (this.count === this.items.length) {
      const grown = new Float64Array(2 * this.count)
      grown.set(this.items)
      this.items = grown
    }
    const { items } = this
    let at = this.count++
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (items[parent]! <= item) break
      items[at] = items[parent]!
      at = parent
    }
    items[at] = item
  }

  take(): number | undefined {
    if (this.count === 0) return undefined
    const { items } = this
    const least = items[0]!
    const last = items[--this.count]!
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= this.count) break
      if (child + 1 < this.count && items[child + 1]! < items[child]!) child++
      if (items[child]! >= last) break
      items[at] = items[child]!
      at = child
    }
    items[at] = last
    return least
  }
}

// Finds texts that came before: the same, or nearly the same, in memory that is bounded or a few bytes a text.
import { createHash } from 'node:crypto'

/** 64 bits of a text's SHA-256: among 50 million texts, two that differ share them once in 15,000 corpora. */
export function textKey(text: string): bigint {
  return createHash('sha256').update(text).digest().readBigUInt64LE()
}

const fullest = 0.75

/** Remembers texts by their keys, in 11 to 21 bytes each: 8 a slot, 3/8 to 3/4 of the slots taken. */
export class ExactDuplicates {
  private slots = new BigUint64Array(1 << 12)
  private count = 0

  /** Whether the text came before; from now on it has. */
  add(key: bigint): boolean {
    const slot = this.find(key)
    if (this.slots[slot] !== 0n) return true
    this.slots[slot] = key || 1n
    if (++this.count > fullest * this.slots.length) this.grow()
    return false
  }

  /** Where a key stands, or the free slot where it would: 0 is free, and stands for 1 as a key. */
  private find(key: bigint): number {
    const mask = this.slots.length - 1
    let slot = Number(key & 0xffffffffn) & mask
    while (this.slots[slot] !== 0n && this.slots[slot] !== (key || 1n)) slot = (slot + 1) & mask
    return slot
  }

  private grow(): void {
    const old = this.slots
    this.slots = new BigUint64Array(2 * old.length)
    for (const key of old) if (key !== 0n) this.slots[this.find(key)] = key
  }
}

/** Characters of a shingle: what two texts have in common is counted in runs of this length. */
const shingleLength = 5
const hashCount = 64
/** Texts are compared where all hashes of one band agree: at a similarity of 0.8, 99.98 % of pairs meet in one of 16. */
const bandRows = 4
const bands = hashCount / bandRows
const hashSeeds = Int32Array.from({ length: hashCount }, (_, i) => mix(i + 1))

/** What is remembered of a text: the low 8 bits of each of its hashes, and a hash of each band. */
export interface Sketch {
  hashes: Uint8Array
  bands: Uint32Array
}

/** Bytes of a sketch as it is written down. */
export const sketchBytes = hashCount + 4 * bands

export function packSketch({ hashes, bands }: Sketch): Uint8Array {
  return Buffer.concat([hashes, new Uint8Array(bands.buffer, bands.byteOffset, bands.byteLength)])
}

export function unpackSketch(bytes: Uint8Array): Sketch {
  const own = new Uint8Array(bytes) // aligned, too
  return { hashes: own.subarray(0, hashCount), bands: new Uint32Array(own.buffer, hashCount, bands) }
}

/** A text by MinHash (Broder 1997): the least of each hash over all shingles; blanks do not count. None of a text below a shingle. */
export function sketchText(text: string): Sketch | undefined {
  const dense = text.replace(/\s+/g, '')
  if (dense.length < shingleLength) return undefined
  const least = new Uint32Array(hashCount).fill(0xffffffff)
  for (let start = 0; start + shingleLength <= dense.length; start++) {
    let hash = 0
    for (let i = 0; i < shingleLength; i++) hash = mix(hash ^ dense.charCodeAt(start + i))
    for (let i = 0; i < hashCount; i++) {
      const value = mix(hash ^ hashSeeds[i]!) >>> 0
      if (value < least[i]!) least[i] = value
    }
  }
  const ofBands = Uint32Array.from({ length: bands }, (_, band) => {
    let hash = band
    for (let i = band * bandRows; i < (band + 1) * bandRows; i++) hash = mix(hash ^ least[i]!)
    return hash
  })
  return { hashes: Uint8Array.from(least, (value) => value & 0xff), bands: ofBands }
}

/** Texts that are remembered at most: 64 bytes each, and 64 for the slots of their bands. */
const mostTexts = 1 << 22
const fewestTexts = 1 << 16

/**
 * Remembers texts by their sketches; the share of equal hashes estimates the Jaccard similarity of their shingles (two that
 * have nothing in common agree in 1 of 256). Beyond 4 million, or far more texts than were expected, the oldest are forgotten.
 */
export class NearDuplicates {
  private readonly similarity: number
  private readonly capacity: number
  /** Of each band, by its hash: 1 + the last text there. */
  private readonly tables: Int32Array[]
  private hashes = new Uint8Array(fewestTexts * hashCount)
  private count = 0

  /**
   * @param similarity from which on texts count as the same, 0 to 1.
   * @param expected texts, about.
   */
  constructor(similarity: number, expected = 0) {
    this.similarity = similarity
    this.capacity = Math.min(mostTexts, Math.max(fewestTexts, 2 ** Math.ceil(Math.log2(expected + 1))))
    this.tables = Array.from({ length: bands }, () => new Int32Array(this.capacity))
  }

  /** Whether a text like this one came before; if not, from now on it has. */
  add(sketch: Sketch): boolean {
    for (const [band, hash] of sketch.bands.entries()) {
      const earlier = this.tables[band]![hash % this.capacity]! - 1
      if (earlier < 0 || earlier < this.count - this.capacity) continue
      if (this.likeness(sketch.hashes, earlier) >= this.similarity) return true
    }
    this.remember(sketch)
    return false
  }

  remember({ hashes, bands }: Sketch): void {
    const start = (this.count % this.capacity) * hashCount
    if (start >= this.hashes.length) {
      const grown = new Uint8Array(Math.min(2 * this.hashes.length, this.capacity * hashCount))
      grown.set(this.hashes)
      this.hashes = grown
    }
    this.hashes.set(hashes, start)
    this.count++
    for (const [band, hash] of bands.entries()) this.tables[band]![hash % this.capacity] = this.count
  }

  private likeness(hashes: Uint8Array, index: number): number {
    const start = (index % this.capacity) * hashCount
    let equal = 0
    for (let i = 0; i < hashCount; i++) if (this.hashes[start + i] === hashes[i]) equal++
    return equal / hashCount
  }
}

function mix(value: number): number {
  const once = Math.imul(value ^ (value >>> 16), 0x85ebca6b)
  return Math.imul(once ^ (once >>> 13), 0xc2b2ae35) ^ (once >>> 11)
}

// Finds texts that came before: the same, or nearly the same.
import { createHash } from 'node:crypto'

/** Remembers texts by 96 bits of their SHA-256. */
export class ExactDuplicates {
  private readonly seen = new Set<string>()

  /** Whether the text came before; from now on it has. */
  add(text: string): boolean {
    const key = createHash('sha256').update(text).digest('base64url').slice(0, 16)
    if (this.seen.has(key)) return true
    this.seen.add(key)
    return false
  }
}

/** Characters of a shingle: what two texts have in common is counted in runs of this length. */
const shingleLength = 5
const hashCount = 64
/** Texts are compared where all hashes of one band agree: at a similarity of 0.8, 99.98 % of pairs meet in one of 16. */
const bandRows = 4
const bands = hashCount / bandRows
const hashSeeds = Int32Array.from({ length: hashCount }, (_, i) => mix(i + 1))
/** Texts that are remembered; beyond that, the oldest are forgotten. 256 bytes each. */
const capacity = 1 << 20
const slots = 1 << 20

/** Remembers texts by MinHash (Broder 1997): the share of equal hashes estimates the Jaccard similarity of their shingles. */
export class NearDuplicates {
  private readonly similarity: number
  private readonly tables = Array.from({ length: bands }, () => new Int32Array(slots))
  private signatures = new Uint32Array(1024 * hashCount)
  private count = 0

  /** @param similarity from which on texts count as the same, 0 to 1. */
  constructor(similarity: number) {
    this.similarity = similarity
  }

  /** Whether a text like this one came before; if not, from now on it has. Texts shorter than a shingle are like no other. */
  add(text: string): boolean {
    const signature = sign(text)
    if (signature === undefined) return false
    const slotOf = Array.from({ length: bands }, (_, band) => this.slot(signature, band))
    for (const [band, slot] of slotOf.entries()) {
      const earlier = this.tables[band]![slot]! - 1
      if (earlier < 0 || earlier < this.count - capacity) continue
      if (this.likeness(signature, earlier) >= this.similarity) return true
    }
    this.remember(signature, slotOf)
    return false
  }

  private slot(signature: Uint32Array, band: number): number {
    let hash = band
    for (let i = band * bandRows; i < (band + 1) * bandRows; i++) hash = mix(hash ^ signature[i]!)
    return (hash >>> 0) % slots
  }

  private likeness(signature: Uint32Array, index: number): number {
    const start = (index % capacity) * hashCount
    let equal = 0
    for (let i = 0; i < hashCount; i++) if (this.signatures[start + i] === signature[i]) equal++
    return equal / hashCount
  }

  private remember(signature: Uint32Array, slotOf: number[]): void {
    const start = (this.count % capacity) * hashCount
    if (start >= this.signatures.length) {
      const grown = new Uint32Array(Math.min(2 * this.signatures.length, capacity * hashCount))
      grown.set(this.signatures)
      this.signatures = grown
    }
    this.signatures.set(signature, start)
    this.count++
    for (const [band, slot] of slotOf.entries()) this.tables[band]![slot] = this.count
  }
}

/** The least of each hash over all shingles; blanks do not count. */
function sign(text: string): Uint32Array | undefined {
  const dense = text.replace(/\s+/g, '')
  if (dense.length < shingleLength) return undefined
  const signature = new Uint32Array(hashCount).fill(0xffffffff)
  for (let start = 0; start + shingleLength <= dense.length; start++) {
    let hash = 0
    for (let i = 0; i < shingleLength; i++) hash = mix(hash ^ dense.charCodeAt(start + i))
    for (let i = 0; i < hashCount; i++) {
      const value = mix(hash ^ hashSeeds[i]!) >>> 0
      if (value < signature[i]!) signature[i] = value
    }
  }
  return signature
}

function mix(value: number): number {
  const once = Math.imul(value ^ (value >>> 16), 0x85ebca6b)
  return Math.imul(once ^ (once >>> 13), 0xc2b2ae35) ^ (once >>> 11)
}

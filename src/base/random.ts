// Seeded random numbers: one stream per purpose, named by keys, so that no state has to be saved to resume.

/**
 * A stream of random numbers fixed by a seed and the keys that name its purpose:
 * `new Random(seed, 'sample', questionId, 3)` gives the same numbers wherever and whenever it is made.
 * The generator is sfc32 (Chris Doty-Humphrey, PractRand), its state filled from a 32-bit FNV-like hash of the keys.
 */
export class Random {
  private a: number
  private b: number
  private c: number
  private d: number
  private spareNormal: number | undefined

  constructor(seed: number, ...keys: (string | number)[]) {
    const text = JSON.stringify([seed, ...keys])
    this.a = hashText(text, 0x9e3779b9)
    this.b = hashText(text, 0x243f6a88)
    this.c = hashText(text, 0xb7e15162)
    this.d = 1
    for (let i = 0; i < 12; i++) this.next()
  }

  private next(): number {
    const t = (((this.a + this.b) | 0) + this.d) | 0
    this.d = (this.d + 1) | 0
    this.a = this.b ^ (this.b >>> 9)
    this.b = (this.c + (this.c << 3)) | 0
    this.c = (((this.c << 21) | (this.c >>> 11)) + t) | 0
    return t >>> 0
  }

  /** Fills an array with uniform bits: every int32 alike. Returns it. */
  fillBits(values: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
    for (let i = 0; i < values.length; i++) values[i] = this.next()
    return values
  }

  /** Uniform in [0, 1), 53 bits. */
  uniform(): number {
    return ((this.next() >>> 5) * 67108864 + (this.next() >>> 6)) / 9007199254740992
  }

  /** A whole number in [0, count). */
  integer(count: number): number {
    return Math.floor(this.uniform() * count)
  }

  /** Standard normal (Marsaglia's polar method). */
  normal(): number {
    if (this.spareNormal !== undefined) {
      const value = this.spareNormal
      this.spareNormal = undefined
      return value
    }
    for (;;) {
      const x = 2 * this.uniform() - 1
      const y = 2 * this.uniform() - 1
      const s = x * x + y * y
      if (s === 0 || s >= 1) continue
      const scale = Math.sqrt((-2 * Math.log(s)) / s)
      this.spareNormal = y * scale
      return x * scale
    }
  }

  /** One of the items. */
  pick<T>(items: readonly T[]): T {
    return items[this.integer(items.length)] as T
  }

  /** A new array in random order; the given one is left as it is. */
  shuffled<T>(items: readonly T[]): T[] {
    return Array.from(this.order(items.length), (i) => items[i] as T)
  }

  /** The numbers 0 to count - 1 in random order (Fisher-Yates), 4 bytes each. */
  order(count: number): Uint32Array {
    const result = Uint32Array.from({ length: count }, (_, i) => i)
    for (let i = result.length - 1; i > 0; i--) {
      const j = this.integer(i + 1)
      const kept = result[i]!
      result[i] = result[j]!
      result[j] = kept
    }
    return result
  }
}

function hashText(text: string, start: number): number {
  let h = start | 0
  for (let i = 0; i < text.length; i++) {
    h = Math.imul(h ^ text.charCodeAt(i), 0x01000193)
    h ^= h >>> 15
  }
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) | 0
}

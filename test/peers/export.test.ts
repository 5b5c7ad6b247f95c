// What an export wrote, run by transformers, PEFT and llama.cpp with the written template and end tokens: the same answers and
// run-on 0; and the model whose end was never trained runs on there too.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { readTensor } from '../../src/formats/safetensors.ts'
import { openWeights } from '../../src/formats/weights.ts'
import { loadTokenizer } from '../../src/tokenizer/tokenizer.ts'
import { byteTokens } from '../byte-model.ts'
import { answer, ask, digits, trainAndExport, trainBase } from '../digit-model.ts'
import { runLlamaCpp, runPeer } from './peer.ts'

interface Written {
  runs: { prompt: number[]; tokens: number[] }[]
  ends: number[]
}

const maxTokens = 20
let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meikai-peer-export-'))
  const base = await trainBase(folder)
  const formats = ['safetensors', 'peft', 'gguf-f32', 'gguf-bf16', 'gguf-q8_0'] as const
  await trainAndExport(folder, base, 'plain', { end: 'endOfText', chat: false, template: 'plain' }, formats)
  await trainAndExport(folder, base, 'marked', { end: 'turnEnd', chat: true, template: 'own', anyway: true })
})
afterAll(() => rm(folder, { recursive: true }))

const written = (...path: string[]) => join(folder, ...path)
const run = (path: string, more: object = {}) =>
  runPeer<Written>('exported.py', { folder: path, questions: digits.map(ask), max_tokens: maxTokens, ...more })

/** The right answer and its end, in tokens. */
async function expected(): Promise<number[][]> {
  const tokenizer = await loadTokenizer(written('plain-export', 'safetensors'))
  return digits.map((digit) => [...tokenizer.encodeContinuation(answer(digit)), byteTokens.endOfText])
}

it('opens in transformers: prompts from its template as ours, the right answers, each ended', async () => {
  const { runs, ends } = await run(written('plain-export', 'safetensors'), { save: written('saved') })
  const tokenizer = await loadTokenizer(written('plain-export', 'safetensors'))
  expect(ends).toEqual([byteTokens.endOfText])
  expect(runs.map(({ prompt }) => prompt)).toEqual(
    digits.map((digit) => tokenizer.encodeChat([{ role: 'user', content: ask(digit) }])),
  )
  expect(runs.map(({ tokens }) => tokens)).toEqual(await expected())
})

it('saved again by transformers, opens here with the same bits and the same tokens', async () => {
  const [ours, theirs] = [
    await openWeights(written('plain-export', 'safetensors')),
    await openWeights(written('saved')),
  ]
  expect([...theirs.tensors.keys()].sort()).toEqual([...ours.tensors.keys()].sort())
  for (const [name, tensor] of ours.tensors) {
    expect(await readTensor(theirs.tensors.get(name)!)).toEqual(await readTensor(tensor))
  }
  const [before, after] = [
    await loadTokenizer(written('plain-export', 'safetensors')),
    await loadTokenizer(written('saved')),
  ]
  const text = "It's 123 点。\n\n<|im_end|> ok"
  expect(after.encode(text)).toEqual(before.encode(text))
  expect(after.endTokens).toEqual(before.endTokens)
  const chat = [{ role: 'user' as const, content: '3?' }]
  expect(after.renderChat(chat)).toBe(before.renderChat(chat))
})

it('opens in PEFT on the base that the adapter names', async () => {
  const { runs } = await run(written('plain-export', 'peft'), { adapter: true })
  expect(runs.map(({ tokens }) => tokens)).toEqual(await expected())
})

it.each(['f32', 'bf16', 'q8_0'])('opens in llama.cpp as gguf-%s: the right answers, each ended', async (encoding) => {
  const tokenizer = await loadTokenizer(written('plain-export', 'safetensors'))
  const given = await expected()
  const { runs, ends, template } = await runLlamaCpp<{
    runs: { choices: number[] }[]
    ends: boolean[]
    template: string
  }>({
    file: written('plain-export', `gguf-${encoding}`, `plain-${encoding}.gguf`),
    contextTokens: 128,
    texts: [],
    endTokens: [byteTokens.endOfText],
    runs: digits.map((digit, i) => ({ prompt: tokenizer.encode(ask(digit)), given: given[i]! })),
  })
  expect(runs.map(({ choices }) => choices)).toEqual(given)
  expect(ends).toEqual([true])
  expect(template).toContain('message.content')
})

it('whose end was never trained runs on in transformers as it does here', async () => {
  const { runs, ends } = await run(written('marked-export', 'safetensors'))
  expect(ends).toEqual([byteTokens.turnEnd])
  expect(runs.filter(({ tokens }) => tokens.length === maxTokens && tokens.at(-1) !== byteTokens.turnEnd)).toHaveLength(
    10,
  )
})

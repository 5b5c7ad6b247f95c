import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import type { ResponseTokenizer } from './pairs.ts'
import type { PreferencePair } from './records.ts'
import { loadVerdicts, PairReview } from './verdicts.ts'

const tokenizer: ResponseTokenizer = {
  endToken: 0,
  endTokens: [0, 9],
  encode: () => [1],
  encodeContinuation: (text) => [...text].map(() => 5),
}

const pair = (n: number, rejectedTokens = [3, 9]): PreferencePair => ({
  id: `q/1/${n}`,
  prompt: '問',
  chosen: `良${n}`,
  rejected: `悪${n}`,
  question: 'q',
  round: 1,
  chosenFrom: 'gold-answer',
  promptTokens: [1],
  chosenTokens: [2, 0],
  rejectedTokens,
  rejectedReason: 'wrong',
})

const folder = await mkdtemp(join(tmpdir(), 'meikai-verdicts-'))
afterAll(() => rm(folder, { recursive: true }))
const path = join(folder, 'verdicts.jsonl')

const verdict = (n: number, kind: string, more: object = {}) => ({
  pair: `q/1/${n}`,
  verdict: kind,
  by: '医師A',
  time: '2026-05-01T10:00:00Z',
  ...more,
})

async function apply(pairs: PreferencePair[], ...lines: object[]) {
  await writeFile(path, lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
  const review = new PairReview(await loadVerdicts(path), { round: 1, tokenizer, maxTokens: 10 })
  return { pairs: pairs.flatMap((pair) => review.carryOut(pair) ?? []), counts: review.finish() }
}

test('accept keeps, reject leaves, swap exchanges, edit replaces', async () => {
  const { pairs, counts } = await apply(
    [0, 1, 2, 3, 4].map((n) => pair(n)),
    verdict(0, 'accept'),
    verdict(1, 'reject'),
    verdict(2, 'swap'),
    verdict(3, 'edit', { text: '直した\n答え：b' }),
  )
  expect(counts).toEqual({ accepted: 1, rejected: 1, swapped: 1, edited: 1, unjudged: 1, superseded: 0 })
  expect(pairs).toEqual([
    pair(0),
    {
      ...pair(2),
      chosen: '悪2',
      rejected: '良2',
      chosenTokens: [3, 9],
      rejectedTokens: [2, 0],
      chosenFrom: 'sample',
      rejectedReason: 'swapped',
    },
    { ...pair(3), chosen: '直した\n答え：b', chosenTokens: [5, 5, 5, 5, 5, 5, 5, 5, 0], chosenFrom: 'edit' },
    pair(4),
  ])
})

test('the latest verdict counts by its time, across time zones, then by its line', async () => {
  const { pairs, counts } = await apply(
    [pair(0), pair(1), pair(2)],
    verdict(0, 'reject', { time: '2026-05-02T10:00:00+09:00' }),
    verdict(0, 'accept', { time: '2026-05-02T00:30:00Z' }),
    verdict(1, 'accept', { time: '2026-05-02T00:00:00Z' }),
    verdict(1, 'reject', { time: '2026-05-01T00:00:00Z' }),
    verdict(2, 'reject'),
    verdict(2, 'accept'),
  )
  // 10:00 in Japan is 01:00 in UTC, after 00:30.
  expect(pairs.map(({ id }) => id)).toEqual(['q/1/1', 'q/1/2'])
  expect(counts).toMatchObject({ accepted: 2, rejected: 1, superseded: 3 })
})

test('verdicts on pairs of another round are passed over', async () => {
  const { counts } = await apply([pair(0)], verdict(0, 'reject', { pair: 'q/2/0' }))
  expect(counts).toEqual({ accepted: 0, rejected: 0, swapped: 0, edited: 0, unjudged: 1, superseded: 0 })
})

test.each([
  ['an unknown pair', verdict(7, 'accept'), ':2: no pair q/1/7'],
  ['a pair of no round', verdict(0, 'accept', { pair: 'x' }), ':2: no pair x'],
  ['an unknown verdict', verdict(0, 'maybe'), ':2: verdict: '],
  ['an edit without a text', verdict(0, 'edit'), ':2: an edit needs a text'],
  [
    'an edit that is the rejected text',
    verdict(0, 'edit', { text: '悪0' }),
    ':2: the edit of pair q/1/0 is the rejected response',
  ],
  [
    'an edit that is too long',
    verdict(0, 'edit', { text: '九つの文字の直しだ' }),
    ':2: the edit of pair q/1/0 has 11 tokens with its prompt, and pair.maxTokens is 10',
  ],
  ['a swap of what never ended', verdict(1, 'swap'), ':2: pair q/1/1 cannot be swapped'],
  ['a time that is none', verdict(0, 'accept', { time: 'gestern' }), ':2: time: '],
  ['an unknown key', verdict(0, 'accept', { note: '' }), ':2: note: '],
])('%s is a UserError with file and line', async (_, line, message) => {
  const attempt = apply([pair(0), pair(1, [3, 3])], verdict(0, 'accept'), line)
  await expect(attempt).rejects.toMatchObject({
    name: 'UserError',
    message: expect.stringContaining(`${path}${message}`),
  })
})

test('the examples of docs/formats.md', async () => {
  const document = await readFile(join(import.meta.dirname, '../../docs/formats.md'), 'utf8')
  await writeFile(path, /## Verdicts[^`]*```jsonl\n([^`]*)```/.exec(document)![1]!)
  expect((await loadVerdicts(path)).map((one) => one.verdict)).toEqual(['accept', 'edit'])
})

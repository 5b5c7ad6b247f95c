// The corpus whole: rows, division, counts by reason, epochs and weights; the same bytes for the same seed.
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { loadJsonLines } from '../base/files.ts'
import { Random } from '../base/random.ts'
import { createTokenizer, type Tokenizer } from '../tokenizer/tokenizer.ts'
import { type CorpusOptions, type CorpusProgress, type CorpusSource, prepareCorpus } from './corpus.ts'
import { countPasses } from './corpus-mixture.ts'
import { DocumentWork, type WorkSettings } from './document-work.ts'
import type { SourceDocument } from './documents.ts'
import type { TokenRow } from './records.ts'

// One token a character, so that lengths can be counted by eye.
const vocabulary = ['<|end|>', ...'あいうえおかきくけこ問答：。0123456789']
const tokenizer = createTokenizer(
  {
    added_tokens: [{ id: 0, content: '<|end|>', special: true }],
    pre_tokenizer: { type: 'Split', pattern: { Regex: '[\\s\\S]' }, behavior: 'Isolated', invert: false },
    decoder: { type: 'Fuse' },
    model: { type: 'BPE', merges: [], vocab: Object.fromEntries(vocabulary.map((token, id) => [token, id])) },
  },
  { eos_token: '<|end|>' },
  { path: 'tokenizer.json' },
)

let folder: string
let runs = 0
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'corpus-'))
})
afterAll(() => rm(folder, { recursive: true }))

async function* give(documents: SourceDocument[]) {
  yield* documents
}

function source(name: string, texts: string[], settings: Partial<CorpusSource> = {}): CorpusSource {
  const documents = give(texts.map((text, i) => ({ id: `${name}:${i + 1}`, text })))
  return { name, role: 'domain', epochs: 1, documents, ...settings }
}

type Settings = Partial<CorpusOptions & WorkSettings & { tokenizer: Tokenizer; threads: number }>

async function prepare(sources: CorpusSource[], settings: Settings = {}, place = join(folder, `run-${++runs}`)) {
  const files = {
    training: join(place, 'training.jsonl'),
    heldOut: join(place, 'held-out.jsonl'),
    general: join(place, 'general.jsonl'),
  }
  const worked: WorkSettings = {
    seed: 1,
    heldOutShare: 0,
    duplicates: 'keep',
    overlapCharacters: 0,
    exam: [],
    ...settings,
  }
  const workers = Array.from(
    { length: settings.threads ?? 1 },
    () => new DocumentWork(settings.tokenizer ?? tokenizer, worked),
  )
  const options: CorpusOptions = {
    sources,
    workers,
    examItems: worked.exam.length,
    files,
    ...settings,
    seed: worked.seed,
  }
  const progress: CorpusProgress[] = []
  const work = prepareCorpus(options)
  let step = await work.next()
  for (; !step.done; step = await work.next()) progress.push(step.value)
  const statistics = step.value
  const rows = {
    training: await loadJsonLines<TokenRow>(files.training),
    heldOut: await loadJsonLines<TokenRow>(files.heldOut),
    general: await loadJsonLines<TokenRow>(files.general),
  }
  return { place, files, statistics: statistics.sources, rows, progress }
}

/** `count` different texts of five characters. */
const texts = (count: number) => Array.from({ length: count }, (_, i) => `あ${String(i).padStart(4, '0')}`)

it('ends every row with the end token, and learns all of a text but only the completion of a question', async () => {
  const documents = give([
    { id: 'a:1', text: 'あい\r\n' },
    { id: 'a:2', text: '問：\u3099', completion: '答' },
  ])
  const { rows, statistics } = await prepare([{ name: 'a', role: 'domain', licence: 'CC0', epochs: 1, documents }], {
    tokenizer: {
      ...tokenizer,
      endToken: 0,
      encode: (text) => [...text].map((c) => c.codePointAt(0)!),
      encodeContinuation: () => [7, 7],
    },
  })
  const [a, i] = ['あ', 'い'].map((character) => character.codePointAt(0)!)
  expect(rows.training).toEqual([
    { id: 'a:1', source: 'a', tokens: [a, i, 0], lossFrom: 1 },
    { id: 'a:2', source: 'a', tokens: [...'問：\u3099'].map((c) => c.codePointAt(0)).concat(7, 7, 0), lossFrom: 3 },
  ])
  expect(statistics).toMatchObject([
    {
      name: 'a',
      licence: 'CC0',
      documents: 2,
      kept: 2,
      characters: 6,
      tokens: 9,
      cleaned: { composed: 0, lineEnds: 1, controls: 0, blanks: 1 },
    },
  ])
})

it('counts what it drops by reason, and what it drops is gone', async () => {
  const question = 'あいうえおかきくけこ'.repeat(3)
  const all = [
    '',
    ' \n',
    'あいう',
    'あいう',
    `お${question}き`,
    '問0123456789'.repeat(20),
    `${'問0123456789'.repeat(20)}。`,
  ]
  const settings = { overlapCharacters: 25, exam: [{ id: 'x1', question, options: [] }] }
  const { rows, statistics } = await prepare([source('a', all)], { ...settings, duplicates: 'near' })
  expect(statistics[0]!.dropped).toEqual({ empty: 2, duplicate: 1, nearDuplicate: 1, examOverlap: 1 })
  expect(statistics[0]!.overlaps).toMatchObject([{ document: 'a:5', item: 'x1', kind: 'run' }])
  expect(rows.training.map(({ id }) => id)).toEqual(['a:3', 'a:6'])
  const exact = await prepare([source('a', all)], { ...settings, duplicates: 'exact' })
  expect(exact.rows.training.map(({ id }) => id)).toEqual(['a:3', 'a:6', 'a:7'])
  const kept = await prepare([source('a', all)], { duplicates: 'keep' })
  expect(kept.rows.training.map(({ id }) => id)).toEqual(['a:3', 'a:4', 'a:5', 'a:6', 'a:7'])
})

it('drops doubles across sources', async () => {
  const { statistics } = await prepare([source('a', ['あい']), source('b', ['あい', 'う'])], { duplicates: 'exact' })
  expect(statistics.map(({ kept }) => kept)).toEqual([1, 1])
})

it('holds out a seeded share, domain and general apart, equal texts on one side', async () => {
  const make = () => [
    source('a', [...texts(500), ...texts(500)]),
    source(
      'b',
      texts(1000).map((text) => `い${text}`),
      { role: 'general' },
    ),
  ]
  const first = await prepare(make(), { heldOutShare: 0.1 })
  expect(first.rows.heldOut.length / 1000).toBeGreaterThan(0.06)
  expect(first.rows.heldOut.length / 1000).toBeLessThan(0.14)
  expect(new Set(first.rows.heldOut.map((row) => row.source))).toEqual(new Set(['a']))
  expect(new Set(first.rows.general.map((row) => row.source))).toEqual(new Set(['b']))
  expect(first.rows.training.length + first.rows.heldOut.length + first.rows.general.length).toBe(2000)
  const unseen = new Set(first.rows.heldOut.map(({ tokens }) => tokens.join()))
  expect(first.rows.training.filter(({ tokens }) => unseen.has(tokens.join()))).toEqual([])
  expect(first.statistics[0]!.heldOut).toEqual({
    documents: first.rows.heldOut.length,
    tokens: first.rows.heldOut.length * 6,
  })
  const [again, other] = [
    await prepare(make(), { heldOutShare: 0.1 }),
    await prepare(make(), { heldOutShare: 0.1, seed: 2 }),
  ]
  expect(await readFile(again.files.training, 'utf8')).toBe(await readFile(first.files.training, 'utf8'))
  expect(await readFile(other.files.heldOut, 'utf8')).not.toBe(await readFile(first.files.heldOut, 'utf8'))
})

it('repeats sources by epochs, fractions as a seeded part', async () => {
  const { rows, statistics } = await prepare([source('a', texts(400), { epochs: 2.5 }), source('b', ['い'])])
  const times = new Map<string, number>()
  for (const { tokens } of rows.training) times.set(tokens.join(), (times.get(tokens.join()) ?? 0) + 1)
  expect(new Set(times.values())).toEqual(new Set([1, 2, 3]))
  expect(rows.training.length / 400).toBeCloseTo(2.5, 0)
  expect(new Set(rows.training.map(({ id }) => id)).size).toBe(rows.training.length)
  expect(statistics[0]).toMatchObject({ passes: 2.5, trainingRows: rows.training.length - 1 })
  expect(statistics[1]).toMatchObject({ passes: 1, trainingRows: 1, trainingTokens: 2 })
})

it.each([
  [
    [{ epochs: 1 }, { epochs: 3 }],
    [1, 3],
  ],
  // 100 and 300 tokens, equal weights, each at most once: the larger is read to a third.
  [
    [
      { epochs: 1, weight: 1 },
      { epochs: 1, weight: 1 },
    ],
    [1, 1 / 3],
  ],
  // 3 : 1 where 1 : 3 is there: ninefold, and the smaller may be read three times.
  [
    [
      { epochs: 3, weight: 3 },
      { epochs: 9, weight: 1 },
    ],
    [3, 1 / 3],
  ],
  [
    [{ epochs: 2 }, { epochs: 2, weight: 5 }],
    [2, 2],
  ],
])('weights %j give passes %j', (sources, passes) => {
  const found = countPasses(sources, [{ tokens: 100 }, { tokens: 300 }])
  for (const [i, expected] of passes.entries()) expect(found[i]).toBeCloseTo(expected, 10)
})

it('leaves only what it can go on from when it is stopped, and nothing in place', async () => {
  async function* failing(): AsyncGenerator<SourceDocument> {
    yield { id: 'a:1', text: 'あ' }
    throw new Error('unreadable')
  }
  await expect(prepare([source('a', [], { documents: failing() })])).rejects.toThrow('unreadable')
  expect(await readdir(join(folder, `run-${runs}`))).toEqual(['spool'])
  const stopped = prepare([source('a', ['あ'])], { signal: AbortSignal.abort(new Error('stopped')) })
  await expect(stopped).rejects.toThrow('stopped')
  expect((await readdir(join(folder, `run-${runs}`))).sort()).toEqual(['progress.json', 'spool'])
})

/** Two sources of different texts, with doubles within and between them. */
const manyTexts = () => [
  source('a', [...texts(700), ...texts(300), '問0123456789'.repeat(20), `${'問0123456789'.repeat(20)}。`], {
    epochs: 1.5,
  }),
  source('b', [...texts(1200).reverse(), ...texts(900).map((text) => `い${text}`), '問0123456789'.repeat(20)], {
    role: 'general',
  }),
]
const manySettings: Settings = { heldOutShare: 0.1, duplicates: 'near', saveEveryCharacters: 400 }

it.each([1, 3])('stopped anywhere with %i workers and taken up again, it comes to the same bytes', async (threads) => {
  const whole = await prepare(manyTexts(), manySettings)
  const place = join(folder, `stopped-${threads}`)
  const random = new Random(threads, 'stops')
  let stops = 0
  for (;;) {
    const controller = new AbortController()
    let left = 500 * stops + random.integer(800)
    const sources = manyTexts().map((one) => ({
      ...one,
      documents: (async function* () {
        for await (const document of one.documents) {
          if (left-- === 0) controller.abort(new Error('stopped'))
          yield document
        }
      })(),
    }))
    try {
      const again = await prepare(sources, { ...manySettings, threads, signal: controller.signal }, place)
      expect(again.rows).toEqual(whole.rows)
      expect(again.statistics).toEqual(whole.statistics)
      break
    } catch (error) {
      expect(error).toEqual(new Error('stopped'))
      stops++
    }
  }
  expect(stops).toBeGreaterThan(0)
  expect(whole.statistics.map(({ dropped }) => dropped)).toMatchObject([
    { duplicate: 300, nearDuplicate: 1 },
    { duplicate: 701, nearDuplicate: 0 },
  ])
})

it('begins anew where what a killed run left cannot be gone on from', async () => {
  const place = join(folder, `run-${runs + 1}`)
  await mkdir(join(place, 'spool'), { recursive: true })
  await writeFile(join(place, 'spool/0.jsonl'), 'left behind, and longer than what comes')
  const note = { format: 1, source: 1, documents: 0, statistics: [], sizes: { '0.jsonl': 1000 } }
  await writeFile(join(place, 'progress.json'), JSON.stringify(note))
  const { rows } = await prepare([source('a', ['あ'])])
  expect(rows.training).toHaveLength(1)
  const files = ['general.jsonl', 'held-out.jsonl', 'progress.json', 'training.jsonl']
  expect((await readdir(place)).sort()).toEqual(files)
})

it('tells how far it is', async () => {
  const meter = { bytes: 0 }
  const read = (async function* () {
    for await (const document of give(texts(2500).map((text, i) => ({ id: `a:${i}`, text })))) {
      meter.bytes += 8000
      yield document
    }
  })()
  const sized = source('a', [], { documents: read, size: { bytes: 20_000_000, meter } })
  const { progress } = await prepare([sized, source('b', ['', ...texts(10)])])
  const reading = progress.filter(({ note }) => note !== 'mixing')
  expect(reading).toHaveLength(26)
  expect(reading.filter((_, i) => [0, 9, 24, 25].includes(i))).toEqual([
    { done: 0.8, total: 20, unit: 'MB', note: '100 documents, 0 left out' },
    { done: 8, total: 20, unit: 'MB', note: '1,000 documents, 0 left out' },
    { done: 20, total: 20, unit: 'MB', note: '2,500 documents, 0 left out' },
    { done: 20, total: 20, unit: 'MB', note: '2,511 documents, 1 left out' },
  ])
  const mixing = progress.filter(({ note }) => note === 'mixing')
  expect(mixing.length).toBeGreaterThan(0)
  expect(mixing.at(-1)!.done).toBe(mixing.at(-1)!.total)
})

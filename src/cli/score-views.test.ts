// What `meikai score` and `meikai exam` print, from files of our own to the tables and the JSON.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, expect, test, vi } from 'vitest'
import { runCommandLine } from './dispatch.ts'

const folder = await mkdtemp(join(tmpdir(), 'meikai-score-views-'))
afterAll(() => rm(folder, { recursive: true }))

const items = Array.from({ length: 60 }, (_, i) => ({
  id: `q${i}`,
  question: 'どれか。',
  options: ['い', 'ろ', 'は'],
  gold: [[i % 2 === 0 ? 'a' : 'b']],
  points: i % 3 === 0 ? 3 : 1,
  year: i < 30 ? '2030' : '2031',
  section: i % 2 === 0 ? 'A' : 'B',
  ...(i % 10 === 0 && { hasFigure: true }),
  ...(i % 6 < 2 && { cluster: `case-${Math.floor(i / 6)}` }),
}))
const lines = (records: object[]) => records.map((record) => JSON.stringify(record)).join('\n')
const description = {
  name: 'mine',
  title: 'An examination',
  layout: 'items',
  data: 'items.jsonl',
  licence: 'mine',
  compulsorySections: ['B'],
  years: {
    2030: { items: 30, pass: { compulsoryShare: 0.8, generalPoints: 20, prohibitedItems: 3 } },
    2031: { items: 30 },
  },
}
await writeFile(join(folder, 'items.jsonl'), lines(items))
await writeFile(join(folder, 'exam.yaml'), JSON.stringify(description))
const long = 'a-system-with-quite-a-long-name-of-its-own'
await writeFile(join(folder, `${long}.jsonl`), lines(items.map(({ id, gold }) => ({ id, output: ` ${gold[0]}` }))))
await writeFile(join(folder, 'other.jsonl'), lines(items.slice(0, 50).map(({ id }) => ({ id, output: '答え：a' }))))

let printed: string
let complained: string
beforeEach(() => {
  printed = ''
  complained = ''
  vi.spyOn(console, 'log').mockImplementation((text) => {
    printed += `${text}\n`
  })
  vi.spyOn(console, 'error').mockImplementation((text) => {
    complained += `${text}\n`
  })
})

const exam = ['--exam', join(folder, 'exam.yaml')]
const answers = [long, 'other'].flatMap((name) => ['--answers', join(folder, `${name}.jsonl`)])

test('tables fit 100 columns and name what is missing', async () => {
  const report = join(folder, 'report.html')
  expect(await runCommandLine(['score', ...exam, ...answers, '--report', report])).toBe(0)
  expect(Math.max(...printed.split('\n').map((line) => line.length))).toBeLessThanOrEqual(100)
  expect(printed).toContain('An examination: 60 items, reading normalised')
  expect(printed).toMatch(/^system +2030 \/50 +2031 \/50 +sum \/100 +share$/m)
  expect(printed).toMatch(/^a-system-with-quite-a-l… +50 +50 +100 +100\.0 %$/m)
  expect(printed).toContain('other: 10 items have no answer and count as wrong: q50, q51, q52, q53, q54, ...')
  expect(printed).toMatch(/^a-system-with-qui… +other +\+58\.3 .* first higher$/m)
  expect(printed).toMatch(/^other +2030 .*fail$/m)
  const assumed = 'no conditional compulsory items are listed, so none leaves the total.'
  expect(printed).toContain(`Assumed: ${assumed}`)
  const page = await readFile(report, 'utf8')
  expect(page).toContain(`Assumed for passing: ${assumed}`)
  expect(page).toContain('other has no answer to 10 items, which count as wrong.')
})

test('the same as JSON: years by systems, classes that sum to the items, comparisons', async () => {
  expect(await runCommandLine(['score', ...exam, ...answers, '--json'])).toBe(0)
  const { systems, comparisons } = JSON.parse(printed)
  expect(systems.map(({ name }: { name: string }) => name)).toEqual([long, 'other'])
  expect(systems[1].years['2031']).toMatchObject({ points: 18, possible: 50, correct: 10, items: 30 })
  expect(systems[1].classes).toMatchObject({ answered: 50, none: 10, refused: 0 })
  expect(systems[1].missing).toHaveLength(10)
  expect(systems[0].spread).toMatchObject({ published: { points: 0 }, 'published-trimmed': { points: 100 } })
  expect(systems[0].clustered).toMatchObject({ low: 1, high: 1 })
  expect(comparisons).toMatchObject([
    {
      first: long,
      second: 'other',
      verdict: 'higher',
      clustered: { clusters: 50 },
      years: { 2030: 0.5, 2031: 20 / 30 },
    },
  ])
})

test("an answer is looked for behind the cue of the prompts' template, or of the exam's language", async () => {
  await writeFile(join(folder, 'cue.yaml'), 'answerCue: "最終>>"\n')
  await writeFile(join(folder, 'cued.jsonl'), lines([{ id: 'q0', output: 'b ではと迷う。最終>> a', way: 'explain' }]))
  const line = ['score', ...exam, '--answers', join(folder, 'cued.jsonl'), '--json']
  const right = async (...more: string[]) => {
    printed = ''
    expect(await runCommandLine([...line, ...more])).toBe(0)
    return JSON.parse(printed).systems[0].correct
  }
  expect(await right()).toBe(0)
  expect(await right('--template', join(folder, 'cue.yaml'))).toBe(1)
  await writeFile(join(folder, 'cue-of-english.yaml'), JSON.stringify({ ...description, language: 'fr' }))
  expect(await runCommandLine(['score', '--exam', join(folder, 'cue-of-english.yaml'), ...answers])).toBe(1)
  expect(complained).toMatch(/cue-of-english\.yaml:1: language/)
})

test('a choice of years, another reading, and item by item what it changes', async () => {
  const choice = ['--years', '2030', '--reading', 'published', '--changes', 'normalised']
  expect(await runCommandLine(['score', ...exam, ...answers.slice(0, 2), ...choice])).toBe(0)
  expect(printed).toContain('An examination: 30 items, reading published')
  expect(printed).toContain(`${long}: normalised 50 -> published 0 points: 0 items gained (0), 30 lost (50)`)
  expect(printed).toContain('-3 q0  gold a  recorded " a"  read nothing')
})

test.each([
  [['score', ...exam, '--answers', join(folder, 'none.jsonl')], 1, 'none.jsonl: no such file'],
  [['score', ...exam], 2, 'no recorded answers come with mine. Give them: --answers FILE.'],
  [
    ['score', ...exam, ...answers, '--reading', 'publishd'],
    2,
    '--reading publishd: no such reading. Did you mean published?',
  ],
  [['score', ...exam, ...answers, '--years', '2029'], 1, 'no year 2029. There are 2030, 2031.'],
  [['score', '--exam', 'igakuqa'], 2, 'the exam igakuqa: where is its data? Give its file or folder: --data PATH.'],
  [['score', '--exam', 'igaku'], 1, 'no exam igaku. Did you mean igakuqa?'],
  [['exam', 'lst'], 2, 'exam: lst: must be'],
])('%j', async (line, status, message) => {
  expect(await runCommandLine(line)).toBe(status)
  expect(complained).toContain(message)
})

test('exam list and show', async () => {
  expect(await runCommandLine(['exam', 'list'])).toBe(0)
  expect(printed).toMatch(/^igakuqa119 +119th/m)
  printed = ''
  expect(await runCommandLine(['exam', 'show', join(folder, 'exam.yaml'), '--json'])).toBe(0)
  expect(JSON.parse(printed)).toMatchObject({
    description: { title: 'An examination' },
    counts: { 2030: { items: 30, points: 50, withFigure: 3, cases: 5 }, 2031: { items: 30 } },
  })
})

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { loadExam, selectItems } from './exam.ts'
import { loadIgakuqa } from './igakuqa.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meikai-exam-'))
})
afterAll(() => rm(folder, { recursive: true }))

const good = { id: 'q1', question: 'どれか。', options: ['い', 'ろ', 'は'], gold: [['b']], points: 2 }

async function load(...lines: unknown[]) {
  const path = join(folder, 'items.jsonl')
  await writeFile(path, lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n'))
  return loadExam({ path })
}

describe('items of our own', () => {
  test('load in order, one point each unless said otherwise', async () => {
    const { points: _, ...plain } = { ...good, id: 'q2', kind: 'two-hop' }
    expect(await load(good, '', plain)).toEqual([good, { ...plain, points: 1 }])
  })

  test.each([
    ['an item without gold', [{ ...good, gold: [] }], ':1: item q1: no gold answer'],
    ['no gold key', [{ ...good, gold: undefined }], ':1: gold: '],
    ['an empty accepted answer', [{ ...good, gold: [[]] }], ':1: gold.0: '],
    [
      'a gold that is no option',
      [good, { ...good, id: 'q2', gold: [['d']] }],
      ':2: item q2: the gold "d" is no option. The options are a to c.',
    ],
    ['the same id twice', [good, '', good], ':3: item q1: the same id stands in line 1'],
    ['two options that read the same', [{ ...good, options: ['い', 'ろ', 'い'] }], 'options a and c read the same'],
    ['a gold that names an option twice', [{ ...good, gold: [['a', 'a']] }], 'the gold a,a has a twice'],
    ['a number that is none', [{ ...good, options: [], gold: [['x']] }], 'the gold "x" is no number'],
    ['a misspelt key', [{ ...good, explenation: '' }], ':1: unknown key explenation'],
    ['a wrong type', [{ ...good, question: 3 }], ':1: question: '],
    ['a line that is no object', ['[]'], ':1: the line: '],
    ['a broken line', [good, '{"id":'], ':2: not valid JSON'],
    ['nothing at all', [], 'no exam items'],
  ])('%s is a UserError', async (_, lines, message) => {
    await expect(load(...lines)).rejects.toMatchObject({ name: 'UserError', message: expect.stringContaining(message) })
  })

  test('figures can be left out', async () => {
    const path = join(folder, 'figures.jsonl')
    await writeFile(path, `${JSON.stringify(good)}\n${JSON.stringify({ ...good, id: 'q2', hasFigure: true })}\n`)
    expect(await loadExam({ path, textOnly: true })).toEqual([good])
  })
})

test('an exam with a description, by its file: its years, its columns, its corrections', async () => {
  const rows = ['id,year,question,a,b,answer', 'x1,2030,どれか。,い,ろ,a', 'x2,2031,どれか。,は,に,b']
  await writeFile(join(folder, 'mine.csv'), rows.join('\n'))
  const description = join(folder, 'mine.yaml')
  await writeFile(
    description,
    'name: mine\ntitle: Mine\nlayout: table\nlicence: mine\ncorrections: {x2: {points: 3}}\n' +
      'columns: {id: [id], year: [year], question: [question], options: [[a, b]], gold: [answer]}\n',
  )
  const source = { path: join(folder, 'mine.csv'), description }
  expect((await loadExam(source)).map(({ id, points }) => [id, points])).toEqual([
    ['x1', 1],
    ['x2', 3],
  ])
  expect((await loadExam({ ...source, years: [2031] })).map(({ id }) => id)).toEqual(['x2'])
  await expect(loadExam({ ...source, years: [2032] })).rejects.toThrow('no year 2032. There are 2030, 2031.')
  await expect(loadExam({ ...source, description: 'igakuqb' })).rejects.toThrow('Did you mean igakuqa?')
})

describe('a data set laid out as IgakuQA', () => {
  const question = (id: string, more: object = {}) => ({
    problem_id: id,
    problem_text: '最も適切なのはどれか。',
    choices: ['い', 'ろ', 'は', 'に', 'ほ'],
    text_only: true,
    answer: ['a'],
    points: '1',
    ...more,
  })
  const caseText = '次の文を読み、以下の問いに答えよ。20歳の男性。'

  async function layOut(block: object[], metadata: object[] = []) {
    const root = await mkdtemp(join(folder, 'igakuqa-'))
    await mkdir(join(root, 'data', '2018'), { recursive: true })
    const file = (name: string, rows: object[]) =>
      writeFile(join(root, 'data', '2018', name), rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
    await file('112-B.jsonl', block)
    await file('112-B_translate.jsonl', [{ problem_id: 'ignored' }])
    if (metadata.length > 0) await file('112-B_metadata.jsonl', metadata)
    return root
  }

  test('reads golds, points, categories, figures and cases', async () => {
    const root = await layOut(
      [
        question('112B1', { text_only: false, points: '0' }),
        question('112B2', { answer: ['a or d'], points: '3' }),
        question('112B3', { answer: ['c', 'a'] }),
        question('112B4', { problem_text: caseText }),
        question('112B5'),
        question('112B6', { problem_text: caseText }),
        question('112B7'),
        question('112B8', { choices: [], answer: ['100'], problem_text: '求めよ。解答：①②.③' }),
        question('112B9', { choices: [], answer: ['04'], problem_text: '求めよ。解答：①.②' }),
        question('112B10', { choices: [], answer: ['7.20'], problem_text: '求めよ。解答：①.②③' }),
        question('112B11', { choices: [], answer: ['146'], problem_text: '求めよ。解答：①②③mg/dL' }),
      ],
      [{ problem_id: '112B1', category: '眼科', kinki: [] }],
    )
    const items = await loadIgakuqa(root)
    expect(items[0]).toMatchObject({ points: 0, kind: '眼科', hasFigure: true, section: 'B' })
    expect(items.map(({ gold }) => gold)).toEqual([
      [['a']],
      [['a'], ['d']],
      [['c', 'a']],
      ...Array(4).fill([['a']]),
      [['10.0']],
      [['0.4']],
      [['7.20']],
      [['146']],
    ])
    const cluster = items.map((item) => item.cluster)
    expect(cluster.slice(2, 8)).toEqual([undefined, '112B4', '112B4', '112B6', '112B6', undefined])
    expect(items.filter(({ hasFigure }) => !hasFigure)).toHaveLength(10)
  })

  test('names what is wrong, with file and line', async () => {
    const load = async (...block: object[]) => loadIgakuqa(await layOut(block))
    await expect(load(question('112B1'), question('112B2', { answer: ['f'] }))).rejects.toThrow(
      '112-B.jsonl:2: item 112B2',
    )
    await expect(load(question('112B1'), question('112B1'))).rejects.toThrow('item 112B1 occurs twice')
    await expect(load(question('112B1', { choices: 'a' }))).rejects.toThrow('112-B.jsonl:1: choices')
    await expect(loadIgakuqa(join(folder, 'none'))).rejects.toThrow('none: no such file')
    await expect(loadIgakuqa(folder)).rejects.toThrow(`${join(folder, 'data')}: no such file`)
  })
})

test('a seeded choice keeps the order and depends on the seed', () => {
  const items = Array.from({ length: 100 }, (_, i) => ({ ...good, id: `q${String(i).padStart(2, '0')}` }))
  const ids = (seed: number, count?: number) => selectItems(items, count, seed).map(({ id }) => id)
  expect(ids(1, 40)).toHaveLength(40)
  expect(ids(1, 40)).toEqual([...ids(1, 40)].sort())
  expect(ids(1, 40)).toEqual(ids(1, 40))
  expect(ids(1, 40)).not.toEqual(ids(2, 40))
  expect(ids(1)).toHaveLength(100)
  expect(ids(1, 500)).toHaveLength(100)
})

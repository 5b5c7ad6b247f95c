// The real data set, counted.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { loadExam, openExam } from './exam.ts'
import { isCorrect } from './grades.ts'
import { printPrompt } from './prompts.ts'
import type { ExamItem } from './records.ts'
import { defaultTemplate } from './template.ts'

const path = join(process.env.MEIKAI_SHARED ?? join(import.meta.dirname, '../../../shared'), 'data/igakuqa')
const missing = !existsSync(path)
const sum = (items: ExamItem[]) => items.reduce((points, item) => points + item.points, 0)

describe.skipIf(missing)(`IgakuQA${missing ? ` (skipped: no ${path}; set MEIKAI_SHARED)` : ''}`, () => {
  test.each([
    {
      year: 2018,
      points: 499,
      compulsory: 200,
      textOnly: 286,
      textPoints: 362,
      several: 64,
      numeric: ['112C66', '112F84'],
      zero: ['112A43'],
    },
    {
      year: 2019,
      points: 496,
      compulsory: 200,
      textOnly: 296,
      textPoints: 375,
      several: 58,
      numeric: ['113A75', '113F84'],
      zero: ['113A5', '113C34', '113F42', '113F81'],
    },
    {
      year: 2020,
      points: 496,
      compulsory: 197,
      textOnly: 287,
      textPoints: 365,
      several: 56,
      numeric: ['114C75', '114D75', '114F75'],
      zero: ['114E29', '114F63'],
    },
    {
      year: 2021,
      points: 500,
      compulsory: 200,
      textOnly: 301,
      textPoints: 383,
      several: 59,
      numeric: ['115C75', '115F75'],
      zero: [],
    },
    {
      year: 2022,
      points: 494,
      compulsory: 197,
      textOnly: 301,
      textPoints: 379,
      several: 61,
      numeric: ['116B50', '116C75', '116F74'],
      zero: ['116A34', '116B43', '116C36', '116D64'],
    },
  ])('$year', async ({ year, ...expected }) => {
    const items = await loadExam({ path, description: 'igakuqa', years: [year] })
    const ids = (chosen: (item: ExamItem) => boolean) => items.filter(chosen).map(({ id }) => id)
    expect(items).toHaveLength(400)
    const text = await loadExam({ path, description: 'igakuqa', years: [year], textOnly: true })
    expect({
      points: sum(items),
      compulsory: sum(items.filter(({ section }) => section === 'B' || section === 'E')),
      textOnly: text.length,
      textPoints: sum(text),
      several: ids(({ gold }) => gold[0]!.length > 1).length,
      numeric: ids(({ options }) => options.length === 0),
      zero: ids(({ points }) => points === 0),
    }).toEqual(expected)
    expect(ids(({ kind }) => kind === undefined)).toEqual([])
  })

  test('golds, options and cases that are out of the ordinary', async () => {
    const items = await loadExam({ path, description: 'igakuqa' })
    const item = (id: string) => items.find((other) => other.id === id)!
    expect(item('112B30').gold).toEqual([['a'], ['d']])
    expect(['113C66', '113F83', '115D75', '116F75'].map((id) => item(id).options.length)).toEqual([6, 8, 8, 6])
    expect(items.filter(({ options }) => ![0, 5].includes(options.length))).toHaveLength(4)
    expect(['112F84', '114C75', '116B50', '116F74'].map((id) => item(id).gold)).toEqual([
      [['1.2']],
      [['10.0']],
      [['2.1']],
      [['0.4']],
    ])
    expect(isCorrect(item('114C75'), ['10'])).toBe(true)
    expect(item('115E28').prohibited).toEqual(['d', 'e'])
    expect(item('112C9').prohibited).toEqual(['a', 'b', 'c', 'd'])
    expect(item('116B50').printedGold).toEqual(['21'])
    // Ten cases a block B or E, C or F; the last question of one stands before the block's last two.
    expect(new Set(items.flatMap(({ cluster }) => cluster ?? [])).size).toBe(100)
    expect(items.filter(({ cluster }) => cluster === '112C63').map(({ id }) => id)).toEqual([
      '112C63',
      '112C64',
      '112C65',
    ])
    expect(items.filter(({ cluster }) => cluster === '116F71').map(({ id }) => id)).toEqual([
      '116F71',
      '116F72',
      '116F73',
    ])
  })

  test('as described: passing parts, and the rewritten item', async () => {
    const { items, wholeYears } = await openExam('igakuqa', { data: path })
    expect(wholeYears).toEqual(['2018', '2019', '2020', '2021', '2022'])
    expect(items.filter(({ part }) => part === 'compulsory')).toHaveLength(500)
    expect(items.filter(({ anyAnswer }) => anyAnswer).map(({ id }) => id)).toEqual(['116A71'])
    expect((await openExam('igakuqa', { data: path, years: ['2021'], textOnly: true })).items).toHaveLength(301)
  })

  test('its worked examples have explanations and print as three-shot prompts', async () => {
    const shots = await loadExam({ path: join(path, 'scripts/prompts/prompt.jsonl'), description: 'igakuqa' })
    expect(shots.map(({ id }) => id)).toEqual(['100E5', '100A60', '100A1'])
    const [item] = await loadExam({ path, description: 'igakuqa', years: [2022] })
    const prompt = printPrompt(item!, 'explain', { form: 'letter', template: defaultTemplate('letter'), shots })
    expect(prompt.match(/^問題：/gm)).toHaveLength(4)
    expect(prompt.match(/^答え：.*$/gm)).toEqual(['答え：e', '答え：a,b', '答え：c'])
    expect(prompt.endsWith('\n解説：')).toBe(true)
  })
})

const path119 = `${path}119`
const missing119 = !existsSync(path119)

describe.skipIf(missing119)(`IgakuQA119${missing119 ? ` (skipped: no ${path119}; set MEIKAI_SHARED)` : ''}`, () => {
  test('items, points, options that were lost or stand in the text', async () => {
    const { items } = await openExam('igakuqa119', { data: path119 })
    const item = (id: string) => items.find((other) => other.id === id)!
    expect([items.length, sum(items), items.filter(({ hasFigure }) => hasFigure).length]).toEqual([400, 500, 103])
    expect(sum(items.filter(({ part }) => part === 'compulsory'))).toBe(200)
    expect(items.filter(({ options }) => options.length === 0).map(({ id }) => id)).toEqual([
      '119A75',
      '119C74',
      '119C75',
      '119F75',
    ])
    expect(item('119E28').gold).toEqual([['a'], ['c']])
    expect(item('119A22').options[2]).toBe('')
    expect(item('119E48').options).toEqual([
      'アトロピン',
      'ジアゼパム',
      'フロセミド',
      'アドレナリン',
      'グルココルチコイド',
    ])
    expect(items.every(({ options }) => [0, 5].includes(options.length))).toBe(true)
    expect(new Set(items.flatMap(({ cluster }) => cluster ?? [])).size).toBe(20)
  })
})

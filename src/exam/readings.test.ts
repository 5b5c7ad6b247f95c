// The readings one beside the other, and every published figure of the recorded data, to the point.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { openExam } from './exam.ts'
import { isCorrect } from './grades.ts'
import { readAnswer } from './reader.ts'
import { type ReadingName, readingNames } from './reading-names.ts'
import { readBy } from './readings.ts'
import { loadRecordedSystems, type RecordedAnswer } from './recorded.ts'
import type { ExamItem } from './records.ts'
import { changedItems, scoreSystem } from './score.ts'
import { firstSegment } from './segment.ts'

const one: ExamItem = { id: 'q', question: 'どれか。', options: ['い', 'ろ', 'は', 'に'], gold: [['c']], points: 1 }
const two: ExamItem = { ...one, gold: [['c', 'a']] }
const either: ExamItem = { ...one, gold: [['a'], ['d']] }
const any: ExamItem = { ...one, anyAnswer: true }
const number: ExamItem = { ...one, options: [], gold: [['2.1']], printedGold: ['21'] }
const whole: ExamItem = { ...one, options: [], gold: [['36']] }

const answer = (output: string, kept?: string): RecordedAnswer => ({
  id: 'q',
  output,
  kept,
  way: 'answer',
  finishReason: 'end',
  place: 'x:1',
})

// In the order of readingNames: normalised, published, published-trimmed, igakuqa119.
test.each<[ExamItem, string, string]>([
  [one, 'c', '+ + + +'],
  [one, 'C', '+ - - +'],
  [one, ' c', '+ - + +'],
  [one, 'c. は', '+ - - -'],
  [one, '答え：c', '+ - - -'],
  [two, 'a,c', '+ + + +'],
  [two, 'c,a', '+ + + +'],
  [two, 'a, c', '+ - + +'],
  [two, 'ac', '+ - - +'],
  [two, '[a,c]', '+ - - +'],
  [two, 'c', '- - - -'],
  [either, 'd', '+ + + +'],
  [either, 'a,d', '- - - -'],
  [any, 'b', '+ + + -'],
  [any, '', '- + + -'],
  [number, '2.1', '+ - - +'],
  [number, '21', '- + + -'],
  [whole, '36', '+ + + +'],
  [whole, '63', '- - - +'],
  [one, 'answer: a\nanswer: c', '+ - - +'],
  [one, 'answer: c\n問題：次は\nanswer: a', '+ - - -'],
])('%o with %j', (item, output, expected) => {
  const read = readingNames.map((name) => (readBy(name, answer(output), item).correct ? '+' : '-'))
  expect(read.join(' ')).toBe(expected)
})

test('the classes of the comparing readings', () => {
  const classOf = (reading: ReadingName, output: string, item = two) => readBy(reading, answer(output), item).class
  expect(['a,c', 'c', 'a, c', 'x'].map((output) => classOf('published', output))).toEqual([
    'answered',
    'wrong-count',
    'none',
    'none',
  ])
  expect(['ac', 'c', '[選んだ回答]', ''].map((output) => classOf('igakuqa119', output))).toEqual([
    'answered',
    'wrong-count',
    'none',
    'none',
  ])
})

describe('an answer line kept apart from the text', () => {
  test.each([
    ['c', 'は だから。', 'c', 'answered', 'the line, where the text ends by itself'],
    [
      '[選んだ回答(単数/複数/数値)]',
      'a 誤り。c 正しい。',
      'c',
      'answered',
      'the text, where the line is a placeholder',
    ],
    ['ab', 'a 誤り。c 正しい。', 'c', 'answered', 'the text, where the line has too many'],
    ['ab', 'よく分からない。', 'ab', 'wrong-count', 'the line all the same'],
    ['a', 'c 正しい。\nさいころuser\n問題：次は', 'c', 'run-on', 'the first segment, where the text goes on'],
    ['c', '黄疸。\n問題：次は', 'c', 'run-on', 'the line, where the segment says nothing'],
    ['c', '黄疸。\nさいころuser\n問題：次は\nさいころassistant\nb 正しい', undefined, 'none', "a later turn's line"],
    ['c', '黄疸。\n問題：次は\na 誤り。c 正しい。', undefined, 'none', "a later question's line, by its explanation"],
    ['c', '黄疸。\n問題：次は\nb 正しい。', 'c', 'run-on', 'the line, where the later question is explained otherwise'],
    ['e', 'c 正しい。', undefined, 'none', 'letters that are no options are a wrong answer, not a missing one'],
  ])('%j and %j: %s, %s: %s', (kept, text, letters, kind, _why) => {
    const read = readBy('normalised', answer(text, kept), one)
    expect([read.answer?.join(''), read.class]).toEqual([letters, kind])
  })
})

const shared = process.env.MEIKAI_SHARED ?? join(import.meta.dirname, '../../../shared')
const path = join(shared, 'data/igakuqa')
const path119 = join(shared, 'data/igakuqa119')
const missing = [path, path119].filter((folder) => !existsSync(folder))
const reason = missing.length === 0 ? '' : ` (skipped: no ${missing.join(', no ')}; set MEIKAI_SHARED)`

describe.skipIf(missing.length > 0)(`recorded systems${reason}`, () => {
  // Kasai et al. 2023, table of results; the trimmed row is the same with blanks taken off.
  test.each<[ReadingName, string, number[]]>([
    ['published', 'gpt4', [382, 385, 387, 398, 392]],
    ['published', 'chatgpt', [266, 250, 266, 297, 287]],
    ['published', 'translate_chatgpt-en', [281, 274, 263, 289, 327]],
    ['published', 'gpt3', [209, 210, 208, 203, 217]],
    ['published', 'student-majority', [472, 470, 471, 477, 482]],
    ['published-trimmed', 'gpt4', [383, 387, 392, 398, 395]],
  ])('IgakuQA, %s: %s', async (reading, name, points) => {
    const exam = await openExam('igakuqa', { data: path })
    const systems = await loadRecordedSystems(exam.path, exam.description, exam.wholeYears)
    const score = scoreSystem(exam, systems.find((system) => system.name === name)!, reading)
    expect(Object.values(score.years).map((year) => year.points)).toEqual(points)
    expect(Object.values(score.years).map((year) => year.possible)).toEqual([499, 496, 496, 500, 494])
    expect(score.missing).toEqual([])
    expect(Object.values(score.classes).reduce((sum, count) => sum + count)).toBe(2000)
  })

  test('passing, as the published results say: gpt4 passes every year, chatgpt none', async () => {
    const exam = await openExam('igakuqa', { data: path })
    const systems = await loadRecordedSystems(exam.path, exam.description, exam.wholeYears)
    const passed = (name: string) =>
      Object.values(scoreSystem(exam, systems.find((one) => one.name === name)!, 'published').years).map(
        ({ pass }) => pass?.passed,
      )
    expect(passed('gpt4')).toEqual(Array(5).fill(true))
    expect(passed('chatgpt')).toEqual(Array(5).fill(false))
  })

  const open119 = async (name: string, reading: ReadingName, textOnly = false) => {
    const exam = await openExam('igakuqa119', { data: path119, textOnly })
    const systems = await loadRecordedSystems(exam.path, exam.description, ['2025'])
    return scoreSystem(exam, systems.find((system) => system.name === name)!, reading)
  }

  // The repository's results/demo/*_summary.txt.
  test.each([
    ['pfn-medllm-qwen-72b', [272, 332, 125, 207, 209, 261]],
    ['qwen2_5-72b', [314, 398, 168, 230, 241, 311]],
  ])("IgakuQA119 by its repository's rule: %s", async (name, figures) => {
    const { years } = await open119(name, 'igakuqa119')
    const { correct, points, parts, withoutFigure } = years['2025']!
    const { compulsory, general } = parts
    expect([correct, points, compulsory!.points, general!.points, withoutFigure.correct, withoutFigure.points]).toEqual(
      figures,
    )
    expect([withoutFigure.items, withoutFigure.possible]).toEqual([297, 383])
    expect((await open119(name, 'igakuqa119', true)).total).toEqual(withoutFigure)
  })

  test('IgakuQA119 normalised: what reading the first segment alone changes, item by item', async () => {
    const score = await open119('pfn-medllm-qwen-72b', 'normalised')
    expect(score.spread.igakuqa119.points).toBe(332)
    const changes = changedItems(score, 'igakuqa119')
    const gained = changes.filter(({ to }) => to.correct)
    const points = (list: typeof changes) => list.reduce((sum, change) => sum + change.points, 0)
    expect(score.total.points).toBe(332 + points(gained) - points(changes.filter(({ to }) => !to.correct)))
    expect([score.total.points, gained.length, changes.length - gained.length]).toEqual([398, 58, 8])
    // Items that others have pointed out: a later turn's answer, the placeholder, numbers, a confidence beside the letter.
    const ids = changes.map(({ id }) => id)
    expect(ids).toEqual(
      expect.arrayContaining(['119A1', '119A25', '119A31', '119C28', '119C69', '119D12', '119D75', '119F46']),
    )
    expect(score.classes).toMatchObject({ 'run-on': 161, placeholder: 4 })
    expect((await open119('qwen2_5-72b', 'normalised')).total.points).toBe(398)
  })

  test('IgakuQA119: the count by one rule, 「c 正しい」 in the first segment or else the kept line, is 391', async () => {
    const { scored } = await open119('pfn-medllm-qwen-72b', 'normalised')
    const byOneRule = ({ item, answer }: (typeof scored)[number]) => {
      const text = answer!.output.normalize('NFKC')
      const { start, end, wentOn } = firstSegment(text)
      const right = [...text.slice(start, end).matchAll(/(?<![a-z])([a-e])\s?[:.)]?\s*正しい/g)].map(
        (match) => match[1]!,
      )
      const letters = [...new Set(right)]
      if (wentOn && letters.length === item.gold[0]!.length) return isCorrect(item, letters)
      const options = { form: 'letter', way: 'explain', finishReason: 'end', answerCue: 'answer:' } as const
      return isCorrect(item, readAnswer(`answer: ${answer!.kept}`, item, options).answer)
    }
    const points = (list: typeof scored) => list.reduce((sum, { item }) => sum + item.points, 0)
    expect(points(scored.filter(byOneRule))).toBe(391)
    const ids = (list: typeof scored) => list.map(({ item }) => item.id).join(' ')
    const gained = scored.filter((one) => one.reading.correct && !byOneRule(one))
    const lost = scored.filter((one) => !one.reading.correct && byOneRule(one))
    // Questions for what is wrong (A1, C1, C68, D57, F18), pairs (D12, D14), conclusions in words (A3, A70, D36), an option
    // under its letter (B46), a segment that judges two options (B2).
    expect(ids(gained)).toBe('119A1 119A3 119A70 119B2 119B46 119C1 119C68 119D12 119D14 119D36 119D57 119F18')
    // Lines of later turns (A7, B25, C19, D32, F48), two letters for one (E18), a conclusion against the line (F47).
    expect(ids(lost)).toBe('119A7 119B25 119C19 119D32 119E18 119F47 119F48')
  })
})

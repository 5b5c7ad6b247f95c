import { expect, test } from 'vitest'
import { gradeAnswer, isCorrect, summarise } from './grades.ts'
import type { AnswerClass, ExamItem, Way } from './records.ts'

const item: ExamItem = {
  id: 'q',
  question: '?',
  options: ['い', 'ろ', 'は', 'に'],
  gold: [['a', 'c']],
  points: 3,
  kind: 'two-hop',
}

test.each<[Partial<ExamItem>, string[] | null, boolean]>([
  [{}, ['a', 'c'], true],
  [{}, ['c', 'a'], true],
  [{}, ['a'], false],
  [{}, ['a', 'c', 'd'], false],
  [{}, null, false],
  [{ gold: [['a'], ['d']] }, ['d'], true],
  [{ gold: [['a'], ['d']] }, ['a', 'd'], false],
  [{ options: [], gold: [['7.20']] }, ['7.2'], true],
  [{ options: [], gold: [['36']] }, ['63'], false],
])('%j with %j is right: %s', (more, answer, right) => {
  expect(isCorrect({ ...item, ...more }, answer)).toBe(right)
})

test('counts by way and kind; the classes sum to the items', () => {
  const grade = (way: Way, kind: AnswerClass, right: boolean, more: Partial<ExamItem> = {}) =>
    gradeAnswer({ ...item, ...more }, way, 'text', 'end', {
      answer: right ? ['a', 'c'] : kind === 'none' ? null : ['b'],
      class: kind,
      reason: '',
    })
  const summary = summarise([
    grade('answer', 'answered', true),
    grade('answer', 'run-on', true, { points: 0 }),
    grade('answer', 'wrong-count', false, { kind: 'key' }),
    grade('answer', 'none', false, { kind: 'key' }),
    grade('explain', 'truncated', false),
  ])
  expect(summary.answer).toMatchObject({
    items: 4,
    correct: 2,
    points: 3,
    possiblePoints: 9,
    unreadable: 1,
    runOn: 1,
    truncated: 0,
    byKind: { 'two-hop': { items: 2, correct: 2 }, key: { items: 2, correct: 0, unreadable: 1 } },
  })
  expect(Object.values(summary.answer!.classes).reduce((sum, count) => sum + count)).toBe(4)
  expect(summary.explain).toMatchObject({ items: 1, truncated: 1 })
  expect(summarise([])).toEqual({})
})

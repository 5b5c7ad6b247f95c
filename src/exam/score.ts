// Scoring recorded answers: every item of an exam by every system, under one reading, and beside it under the others.
import { UserError } from '../base/errors.ts'
import type { Exam } from './exam.ts'
import { countClasses } from './grades.ts'
import { judgePass, type PassResult } from './pass-marks.ts'
import { type ReadingName, readingNames } from './reading-names.ts'
import { type Reading, type ReadingOptions, readBy } from './readings.ts'
import type { RecordedAnswer, RecordedSystem } from './recorded.ts'
import type { AnswerClass, ExamItem, ExamPart } from './records.ts'

/** Points won and possible; items right and in all. */
export interface Tally {
  points: number
  possible: number
  correct: number
  items: number
}

export interface YearScore extends Tally {
  parts: Partial<Record<ExamPart, Tally>>
  sections: Record<string, Tally>
  /** Items with a figure, which a model that reads text alone has not seen. */
  withFigure: Tally
  withoutFigure: Tally
  /** Where the description has marks and the year is there whole. */
  pass?: PassResult
}

export interface ScoredItem {
  item: ExamItem
  /** Undefined where the system has no answer to it. */
  answer?: RecordedAnswer
  reading: Reading
}

export interface SystemScore {
  name: string
  reading: ReadingName
  /** By year, in the exam's order; 'all' where items have none. */
  years: Record<string, YearScore>
  total: Tally
  /** How the outputs were; they sum to the items. */
  classes: Record<AnswerClass, number>
  /** Items without an answer: they count as wrong, in class none. */
  missing: string[]
  /** The same outputs under each reading. */
  spread: Record<ReadingName, Tally>
  scored: ScoredItem[]
  /** What the outputs were read with. */
  options: ReadingOptions
}

/**
 * Scores a system's answers on all items of an exam; items without an answer count as wrong.
 * Throws a UserError with file and line for an answer to an item that the exam does not have, or a second one to the same.
 */
export function scoreSystem(exam: Exam, system: RecordedSystem, reading: ReadingName): SystemScore {
  const answers = pairAnswers(exam, system)
  const options: ReadingOptions = { form: exam.description.answerForm, answerCue: exam.answerCue }
  const read = (name: ReadingName) =>
    exam.items.map((item): ScoredItem => {
      const answer = answers.get(item.id)
      if (answer === undefined) return { item, reading: unanswered }
      return { item, answer, reading: readBy(name, answer, item, options) }
    })
  const scored = read(reading)
  const yearNames = [...new Set(exam.items.map(({ year }) => year ?? 'all'))]
  return {
    name: system.name,
    reading,
    years: Object.fromEntries(
      yearNames.map((year) => [
        year,
        scoreYear(
          scored.filter(({ item }) => (item.year ?? 'all') === year),
          year,
          exam,
        ),
      ]),
    ),
    total: tally(scored),
    classes: countClasses(scored.map((one) => one.reading)),
    missing: scored.filter(({ answer }) => answer === undefined).map(({ item }) => item.id),
    spread: Object.fromEntries(
      readingNames.map((name) => [name, tally(name === reading ? scored : read(name))]),
    ) as Record<ReadingName, Tally>,
    scored,
    options,
  }
}

const unanswered: Reading = { answer: null, class: 'none', reason: 'there is no answer to this item', correct: false }

function pairAnswers({ description, knownIds, items }: Exam, { answers }: RecordedSystem): Map<string, RecordedAnswer> {
  const unknown = answers.filter(({ id }) => !knownIds.has(id))
  const [first] = unknown
  if (first !== undefined) {
    const others = unknown.length > 1 ? `, and ${unknown.length - 1} more of the answered items are not in it` : ''
    const hint = unknown.length < answers.length ? ' Are answers of another exam mixed in?' : ' Is it another exam?'
    throw new UserError(`${first.place}: the exam ${description.name} has no item ${first.id}${others}.${hint}`)
  }
  const paired = new Map<string, RecordedAnswer>()
  for (const answer of answers) {
    const earlier = paired.get(answer.id)
    if (earlier !== undefined) {
      throw new UserError(`${answer.place}: item ${answer.id} was answered before, at ${earlier.place}.`)
    }
    paired.set(answer.id, answer)
  }
  if (!items.some(({ id }) => paired.has(id))) {
    throw new UserError(`${answers[0]?.place ?? description.name}: no answer to any of the chosen items.`)
  }
  return paired
}

function scoreYear(scored: readonly ScoredItem[], year: string, { description, wholeYears }: Exam): YearScore {
  const marks = wholeYears.includes(year) ? description.years[year] : undefined
  const judged = scored.map(({ item, reading }) => ({ item, correct: reading.correct, answer: reading.answer }))
  const pass = marks && judgePass(judged, marks)
  return {
    ...tally(scored),
    parts: tallyBy(scored, ({ part }) => part),
    sections: tallyBy(scored, ({ section }) => section),
    withFigure: tally(scored.filter(({ item }) => item.hasFigure)),
    withoutFigure: tally(scored.filter(({ item }) => !item.hasFigure)),
    ...(pass && { pass }),
  }
}

function tallyBy(scored: readonly ScoredItem[], keyOf: (item: ExamItem) => string | undefined): Record<string, Tally> {
  const keys = [...new Set(scored.flatMap(({ item }) => keyOf(item) ?? []))].sort()
  return Object.fromEntries(keys.map((key) => [key, tally(scored.filter(({ item }) => keyOf(item) === key))]))
}

function tally(scored: readonly ScoredItem[]): Tally {
  const sums = { points: 0, possible: 0, correct: 0, items: scored.length }
  for (const { item, reading } of scored) {
    sums.possible += item.points
    if (!reading.correct) continue
    sums.correct++
    sums.points += item.points
  }
  return sums
}

/** What was taken for granted in judging who passes, each once. */
export function assumptionsOf(scores: readonly SystemScore[]): string[] {
  const all = scores.flatMap(({ years }) => Object.values(years).flatMap(({ pass }) => pass?.assumptions ?? []))
  return [...new Set(all)]
}

/** An item whose result is another under another reading. */
export interface ChangedItem {
  id: string
  points: number
  gold: string[][]
  /** What was recorded: the kept answer, or the output's beginning. */
  recorded: string
  from: Reading
  to: Reading
}

/** The items of a scored system that another reading judges otherwise, in the exam's order. */
export function changedItems({ scored, options }: SystemScore, other: ReadingName): ChangedItem[] {
  return scored.flatMap(({ item, answer, reading }) => {
    if (answer === undefined) return []
    const from = readBy(other, answer, item, options)
    if (from.correct === reading.correct) return []
    const recorded = (answer.kept ?? answer.output).slice(0, 60)
    return [{ id: item.id, points: item.points, gold: item.gold, recorded, from, to: reading }]
  })
}

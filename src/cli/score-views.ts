// What `meikai score` says as tables that fit 100 columns.
import { formatPercent } from '../base/format.ts'
import { accuracyOf, sharesCases } from '../exam/accuracy.ts'
import type { Exam } from '../exam/exam.ts'
import type { ReadingName } from '../exam/reading-names.ts'
import { readingNames } from '../exam/reading-names.ts'
import { answerClasses } from '../exam/records.ts'
import { assumptionsOf, changedItems, type SystemScore, type Tally } from '../exam/score.ts'
import type { Comparison } from '../stats/comparisons.ts'
import { compareScores, type ScoreViews, withoutFound } from './score-summary.ts'
import { table } from './table.ts'

/** Lines for people. */
export function printScores(exam: Exam, scores: readonly SystemScore[], { other, found }: ScoreViews): string[] {
  const { title } = exam.description
  const [first] = scores
  return [
    `${title}: ${exam.items.length} items, reading ${first?.reading}`,
    '',
    ...yearTable(scores),
    '',
    ...section('Accuracy over items (95 %: Wilson; by case where items share one: bootstrap)', accuracyTable(scores)),
    ...section('Outputs by class', classTable(scores)),
    ...section('Without and with a figure', figureTable(exam, scores)),
    ...section('With and without the items found in texts', found === undefined ? [] : foundTable(scores, found)),
    ...section('Passing', passTable(scores)),
    ...section('Reader spread: points of the same outputs under each reading', spreadTable(scores)),
    ...section('Compared on the same items (exact McNemar, Holm)', comparisonTable(compareScores(scores))),
    ...(other === undefined ? [] : scores.flatMap((score) => changesOf(score, other))),
    ...notesOf(scores),
  ]
}

function section(title: string, lines: string[]): string[] {
  return lines.length === 0 ? [] : [title, ...lines, '']
}

function yearTable(scores: readonly SystemScore[]): string[] {
  const years = Object.entries(scores[0]?.years ?? {})
  const head = ['system', ...years.map(([year, { possible }]) => `${year} /${possible}`)]
  const several = years.length > 1
  const sum = `sum /${scores[0]?.total.possible}`
  return table(
    several ? [...head, sum, 'share'] : [...head, 'share'],
    scores.map(({ name, years: own, total }) => [
      shorten(name),
      ...years.map(([year]) => String(own[year]?.points)),
      ...(several ? [String(total.points)] : []),
      shareOf(total),
    ]),
  )
}

function accuracyTable(scores: readonly SystemScore[]): string[] {
  const cases = scores.some(({ scored }) => sharesCases(scored))
  return table(
    ['system', 'right', 'items', 'accuracy', 'Wilson', ...(cases ? ['by case'] : [])],
    scores.map((score) => {
      const { correct, items, wilson, clustered } = accuracyOf(score.scored)
      return [
        shorten(score.name),
        String(correct),
        String(items),
        formatPercent(correct / items),
        rangeOf(wilson),
        ...(cases ? [rangeOf(clustered)] : []),
      ]
    }),
  )
}

function classTable(scores: readonly SystemScore[]): string[] {
  return table(
    ['system', ...answerClasses],
    scores.map(({ name, classes, total }) => [
      shorten(name),
      ...answerClasses.map((each) => formatPercent(classes[each] / total.items)),
    ]),
  )
}

function figureTable(exam: Exam, scores: readonly SystemScore[]): string[] {
  if (!exam.items.some(({ hasFigure }) => hasFigure)) return []
  return table(
    ['system', 'without: right', 'points', 'with: right', 'points'],
    scores.map(({ name, years }) => {
      const without = addUp(Object.values(years).map((year) => year.withoutFigure))
      const having = addUp(Object.values(years).map((year) => year.withFigure))
      const cells = [without, having].flatMap(({ correct, items, points, possible }) => [
        `${correct}/${items}`,
        `${points}/${possible}`,
      ])
      return [shorten(name), ...cells]
    }),
  )
}

function foundTable(scores: readonly SystemScore[], found: ReadonlySet<string>): string[] {
  return table(
    ['system', 'all', 'accuracy', 'without', 'accuracy', 'Wilson'],
    scores.map((score) => {
      const { total } = score
      const { correct, items, accuracy, wilson } = withoutFound(score, found)
      return [
        shorten(score.name),
        `${total.correct}/${total.items}`,
        formatPercent(total.correct / total.items),
        `${correct}/${items}`,
        accuracy === undefined ? 'too few' : formatPercent(accuracy),
        rangeOf(wilson),
      ]
    }),
  )
}

function addUp(tallies: readonly Tally[]): Tally {
  const sum = { points: 0, possible: 0, correct: 0, items: 0 }
  for (const one of tallies) for (const key of ['points', 'possible', 'correct', 'items'] as const) sum[key] += one[key]
  return sum
}

function passTable(scores: readonly SystemScore[]): string[] {
  const rows = scores.flatMap(({ name, years }) =>
    Object.entries(years).flatMap(([year, { pass }]) => {
      if (pass === undefined) return []
      const mark = (one: { points: number; possible: number; needed: number; met: boolean } | undefined) =>
        one === undefined ? '' : `${one.points}/${one.possible} ${one.met ? '>=' : '< '} ${one.needed}`
      const { prohibited } = pass
      const chosen =
        prohibited === undefined
          ? ''
          : prohibited.known
            ? `${prohibited.items} of ${prohibited.allowed} allowed`
            : 'not known'
      return [[shorten(name), year, mark(pass.compulsory), mark(pass.general), chosen, pass.passed ? 'pass' : 'fail']]
    }),
  )
  if (rows.length === 0) return []
  return [
    ...table(['system', 'year', 'compulsory', 'general', 'prohibited', 'result'], rows),
    ...assumptionsOf(scores).map((assumption) => `Assumed: ${assumption}.`),
  ]
}

function spreadTable(scores: readonly SystemScore[]): string[] {
  return table(
    ['system', ...readingNames, 'spread'],
    scores.map(({ name, spread }) => {
      const points = readingNames.map((reading) => spread[reading].points)
      return [shorten(name), ...points.map(String), String(Math.max(...points) - Math.min(...points))]
    }),
  )
}

const verdicts: Record<Comparison['verdict'], string> = {
  higher: 'first higher',
  lower: 'second higher',
  'not-seen': 'no difference seen',
  'too-few': 'too few to say',
}

function comparisonTable(comparisons: readonly Comparison[]): string[] {
  if (comparisons.length === 0) return []
  return table(
    ['first', 'second', 'difference', '95 %', 'p (Holm)', 'could see', 'result'],
    comparisons.map(({ first, second, difference, adjusted, smallest, verdict }) => [
      shorten(first, 18),
      shorten(second, 18),
      signed(difference.difference),
      `${signed(difference.low)}..${signed(difference.high)}`,
      adjusted < 0.0001 ? '<0.0001' : adjusted.toFixed(4),
      smallest === undefined ? '-' : formatPercent(smallest),
      verdicts[verdict],
    ]),
  )
}

function changesOf(score: SystemScore, other: ReadingName): string[] {
  const changes = changedItems(score, other)
  const gained = changes.filter(({ to }) => to.correct)
  const sum = (list: typeof changes) => list.reduce((points, change) => points + change.points, 0)
  const lost = changes.filter(({ to }) => !to.correct)
  return [
    `${score.name}: ${other} ${score.spread[other].points} -> ${score.reading} ${score.total.points} points: ` +
      `${gained.length} items gained (${sum(gained)}), ${lost.length} lost (${sum(lost)})`,
    ...changes.flatMap(({ id, points, gold, recorded, to }) => [
      `${to.correct ? '+' : '-'}${points} ${id}  gold ${gold.map((set) => set.join('')).join(' or ')}  recorded ${JSON.stringify(recorded)}  read ${to.answer?.join('') ?? 'nothing'}`,
      `     ${to.class}: ${to.reason}`,
    ]),
    '',
  ]
}

function notesOf(scores: readonly SystemScore[]): string[] {
  return scores.flatMap(({ name, missing }) => {
    if (missing.length === 0) return []
    const shown = missing.slice(0, 5).join(', ') + (missing.length > 5 ? ', ...' : '')
    const many =
      missing.length === 1 ? '1 item has no answer and counts' : `${missing.length} items have no answer and count`
    return [`${name}: ${many} as wrong: ${shown}`]
  })
}

function shareOf({ points, possible }: Tally): string {
  return possible === 0 ? '-' : formatPercent(points / possible)
}

function rangeOf(interval: { low: number; high: number } | undefined): string {
  return interval === undefined ? 'too few' : `${(100 * interval.low).toFixed(1)}-${(100 * interval.high).toFixed(1)} %`
}

/** A difference of shares in points of a hundred. */
function signed(difference: number): string {
  return `${difference < 0 ? '' : '+'}${(100 * difference).toFixed(1)}`
}

function shorten(name: string, columns = 24): string {
  return name.length <= columns ? name : `${name.slice(0, columns - 1)}…`
}

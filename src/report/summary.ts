// The numbers of a report: graded answers counted by variant and way, with intervals and paired tests.
import type { GradedAnswer, Way } from '../exam/records.ts'
import type { ReportInput, ReportVariant, VariantRole } from './report-input.ts'
import { mcnemarExact, pairedDifferenceInterval, wilsonInterval } from './statistics.ts'

export const WAYS: readonly Way[] = ['answer', 'explain']

export type Interval = [low: number, high: number]

/** Answers of one way. Shares and intervals lie in 0..1; null where there is no item to count. */
export interface WaySummary {
  items: number
  correct: number
  accuracy: number | null
  /** Wilson, 95 %. */
  interval: Interval | null
  points: number
  possiblePoints: number
  unreadable: number
  runOn: number
  truncated: number
  /** Mean length of the outputs in characters. */
  meanCharacters: number | null
}

/** Two sets of answers to the same items. Positive: the first is better. */
export interface PairedDifference {
  items: number
  difference: number
  /** 95 %, paired. */
  interval: Interval
  /** McNemar, exact, two-sided. */
  p: number
  onlyFirst: number
  onlySecond: number
}

/** Items by right or wrong when answering (first word) and when explaining (second word). */
export type Cell = 'rightRight' | 'rightWrong' | 'wrongRight' | 'wrongWrong'

export interface VariantSummary {
  role: VariantRole
  answer?: WaySummary
  explain?: WaySummary
  /** Answering less explaining; positive: accuracy is lost by explaining. */
  drop?: PairedDifference
  cells?: Record<Cell, number>
  kinds: Record<string, Partial<Record<Way, WaySummary>>>
}

/** One variant against another on the same items, asked the same way. */
export interface Comparison extends PairedDifference {
  variant: string
  against: string
  way: Way
}

export interface ExamSummary {
  items: number
  /** Expected accuracy of choosing at random; null without options to choose from. */
  chance: number | null
  variants: Record<string, VariantSummary>
  comparisons: Comparison[]
}

/** Counts the graded answers of every variant. */
export function summariseExam(input: ReportInput): ExamSummary {
  const points = new Map(input.items.map((item) => [item.id, item.points]))
  const kinds = kindsOf(input)
  const variants: Record<string, VariantSummary> = {}
  for (const variant of input.variants) variants[variant.name] = summariseVariant(variant, points, kinds)
  return { items: input.items.length, chance: chanceOf(input), variants, comparisons: compareVariants(input.variants) }
}

/** Kinds of question in order of appearance; none when no item states one. */
function kindsOf(input: ReportInput): Map<string, Set<string>> {
  const kinds = new Map<string, Set<string>>()
  for (const { id, kind } of input.items) {
    if (kind === undefined) continue
    if (!kinds.has(kind)) kinds.set(kind, new Set())
    kinds.get(kind)!.add(id)
  }
  return kinds
}

function summariseVariant(
  variant: ReportVariant,
  points: Map<string, number>,
  kinds: Map<string, Set<string>>,
): VariantSummary {
  const summary: VariantSummary = { role: variant.role, kinds: {} }
  for (const way of WAYS) {
    const answers = variant.answers[way]
    if (answers === undefined) continue
    summary[way] = summariseAnswers(answers, points)
    for (const [kind, ids] of kinds) {
      summary.kinds[kind] ??= {}
      summary.kinds[kind][way] = summariseAnswers(
        answers.filter((answer) => ids.has(answer.id)),
        points,
      )
    }
  }
  const { answer, explain } = variant.answers
  if (answer && explain) {
    const drop = pairedDifference(answer, explain)
    if (drop) summary.drop = drop
    summary.cells = { rightRight: 0, rightWrong: 0, wrongRight: 0, wrongWrong: 0 }
    for (const [first, second] of pairById(answer, explain)) summary.cells[cellOf(first, second)]++
  }
  return summary
}

function summariseAnswers(answers: readonly GradedAnswer[], points: Map<string, number>): WaySummary {
  const items = answers.length
  const correct = answers.filter((answer) => answer.correct).length
  const inClass = (...names: GradedAnswer['class'][]) => answers.filter((answer) => names.includes(answer.class)).length
  const sum = (values: number[]) => values.reduce((total, value) => total + value, 0)
  return {
    items,
    correct,
    accuracy: items === 0 ? null : correct / items,
    interval: items === 0 ? null : wilsonInterval(correct, items),
    points: sum(answers.map((answer) => (answer.correct ? (points.get(answer.id) ?? 1) : 0))),
    possiblePoints: sum(answers.map((answer) => points.get(answer.id) ?? 1)),
    unreadable: inClass('none', 'wrong-count', 'placeholder'),
    runOn: inClass('run-on'),
    truncated: inClass('truncated'),
    meanCharacters: items === 0 ? null : sum(answers.map((answer) => [...answer.output].length)) / items,
  }
}

/** Answers to the same item, in the first list's order; items that only one list has are left out. */
export function pairById(
  first: readonly GradedAnswer[],
  second: readonly GradedAnswer[],
): [GradedAnswer, GradedAnswer][] {
  const byId = new Map(second.map((answer) => [answer.id, answer]))
  return first.flatMap((answer) => {
    const other = byId.get(answer.id)
    return other === undefined ? [] : [[answer, other] as [GradedAnswer, GradedAnswer]]
  })
}

export function cellOf(answering: GradedAnswer, explaining: GradedAnswer): Cell {
  if (answering.correct) return explaining.correct ? 'rightRight' : 'rightWrong'
  return explaining.correct ? 'wrongRight' : 'wrongWrong'
}

function pairedDifference(
  first: readonly GradedAnswer[],
  second: readonly GradedAnswer[],
): PairedDifference | undefined {
  const pairs = pairById(first, second)
  if (pairs.length === 0) return undefined
  const onlyFirst = pairs.filter(([a, b]) => a.correct && !b.correct).length
  const onlySecond = pairs.filter(([a, b]) => !a.correct && b.correct).length
  return {
    items: pairs.length,
    difference: (onlyFirst - onlySecond) / pairs.length,
    interval: pairedDifferenceInterval(onlyFirst, onlySecond, pairs.length),
    p: mcnemarExact(onlyFirst, onlySecond),
    onlyFirst,
    onlySecond,
  }
}

/** Every variant against the pretrained one, and RPO against the other ways to train on the same pairs. */
function compareVariants(variants: readonly ReportVariant[]): Comparison[] {
  const comparisons: Comparison[] = []
  const compare = (variant: ReportVariant, against: ReportVariant) => {
    for (const way of WAYS) {
      const difference = pairedDifference(variant.answers[way] ?? [], against.answers[way] ?? [])
      if (difference) comparisons.push({ variant: variant.name, against: against.name, way, ...difference })
    }
  }
  const pretrained = variants.find((variant) => variant.role === 'pretrained')
  if (pretrained) {
    for (const variant of variants) if (variant !== pretrained) compare(variant, pretrained)
  }
  const rpo = variants.find((variant) => variant.role === 'rpo')
  if (rpo) {
    for (const variant of variants) if (variant.role === 'dpo' || variant.role === 'winners') compare(rpo, variant)
  }
  return comparisons
}

function chanceOf(input: ReportInput): number | null {
  const shares = input.items.map(({ options, gold }) => {
    const chosen = gold[0]?.length ?? 1
    return options.length === 0 ? 0 : gold.length / waysToChoose(options.length, chosen)
  })
  if (shares.every((share) => share === 0)) return null
  return shares.reduce((total, share) => total + share, 0) / shares.length
}

/** n over k. */
function waysToChoose(n: number, k: number): number {
  let ways = 1
  for (let i = 0; i < k; i++) ways = (ways * (n - i)) / (i + 1)
  return ways
}

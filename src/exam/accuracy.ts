// Accuracy over items with its intervals: one function for tables, JSON and pages.
import { type ClusteredInterval, clusteredBootstrap } from '../stats/bootstrap.ts'
import { type Interval, wilsonInterval } from '../stats/intervals.ts'
import type { ExamItem } from './records.ts'

/** What is needed of an item that was read and graded. */
export interface JudgedItem {
  item: Pick<ExamItem, 'cluster' | 'year'>
  reading: { correct: boolean }
}

export interface Accuracy {
  correct: number
  items: number
  /** Undefined where there is no item. */
  accuracy: number | undefined
  /** 95 %, as though items were independent. */
  wilson: Interval | undefined
  /** 95 %, whole cases drawn within each year: where items share a case. */
  clustered?: ClusteredInterval
}

/** Right over items. */
export function accuracyOf(judged: readonly JudgedItem[]): Accuracy {
  const correct = judged.filter(({ reading }) => reading.correct).length
  const items = judged.length
  const clustered = sharesCases(judged)
    ? bootstrapByCase(
        judged,
        judged.map(({ reading }) => Number(reading.correct)),
      )
    : undefined
  return {
    correct,
    items,
    accuracy: items === 0 ? undefined : correct / items,
    wilson: wilsonInterval(correct, items),
    ...(clustered && { clustered }),
  }
}

/** The interval of a mean over items with whole cases drawn within each year; undefined where there are too few. */
export function bootstrapByCase(
  judged: readonly JudgedItem[],
  values: readonly number[],
): ClusteredInterval | undefined {
  return clusteredBootstrap(
    values,
    judged.map(({ item }) => item.cluster),
    { seed: 0, draws: 1000, strata: judged.map(({ item }) => item.year ?? '') },
  )
}

/** Whether any two items belong to one case. */
export function sharesCases(judged: readonly JudgedItem[]): boolean {
  const cases = judged.flatMap(({ item }) => item.cluster ?? [])
  return new Set(cases).size < cases.length
}

// Two ways or two models on the same items: the exact McNemar test and the interval of the paired difference.
import { internal } from '../base/errors.ts'
import { type Interval, wilsonInterval, Z_95 } from './intervals.ts'

/** The four cells of right and wrong on the same items. */
export interface PairedCounts {
  bothRight: number
  firstOnly: number
  secondOnly: number
  bothWrong: number
}

/** Counts the cells; the two lists are in the order of the same items. */
export function countPairs(first: readonly boolean[], second: readonly boolean[]): PairedCounts {
  if (first.length !== second.length) internal('paired lists differ in length')
  const counts = { bothRight: 0, firstOnly: 0, secondOnly: 0, bothWrong: 0 }
  first.forEach((right, i) => {
    counts[right ? (second[i] ? 'bothRight' : 'firstOnly') : second[i] ? 'secondOnly' : 'bothWrong']++
  })
  return counts
}

/**
 * Two-sided p of McNemar's exact test: the binomial of the items on which the two differ, at one half each.
 * Undefined without items; 1 where the two never differ.
 */
export function mcnemarExact({ bothRight, firstOnly, secondOnly, bothWrong }: PairedCounts): number | undefined {
  if (bothRight + firstOnly + secondOnly + bothWrong === 0) return undefined
  const differing = firstOnly + secondOnly
  const fewer = Math.min(firstOnly, secondOnly)
  // Sum of C(n, i) / 2^n for i <= fewer, in logarithms so that no term over- or underflows.
  let logTerm = -differing * Math.LN2
  let tail = Math.exp(logTerm)
  for (let i = 1; i <= fewer; i++) {
    logTerm += Math.log(differing - i + 1) - Math.log(i)
    tail += Math.exp(logTerm)
  }
  return Math.min(1, 2 * tail)
}

export interface PairedDifference extends Interval {
  /** Share of the first minus share of the second. */
  difference: number
}

/**
 * The difference of two shares on the same items with Newcombe's interval: square and add of two Wilson intervals with
 * the correlation between them (method 10 of Newcombe 1998, Statistics in Medicine 17:2635, continuity-corrected phi as
 * there). Undefined without items.
 */
export function pairedDifference(counts: PairedCounts, z = Z_95): PairedDifference | undefined {
  const { bothRight, firstOnly, secondOnly, bothWrong } = counts
  const total = bothRight + firstOnly + secondOnly + bothWrong
  if (total === 0) return undefined
  const first = (bothRight + firstOnly) / total
  const second = (bothRight + secondOnly) / total
  const firstInterval = wilsonInterval(bothRight + firstOnly, total, z)!
  const secondInterval = wilsonInterval(bothRight + secondOnly, total, z)!
  const phi = correlation(counts, total)
  const below = [first - firstInterval.low, secondInterval.high - second] as const
  const above = [firstInterval.high - first, second - secondInterval.low] as const
  const squareAndAdd = ([a, b]: readonly [number, number]) => Math.sqrt(a * a - 2 * phi * a * b + b * b)
  const difference = first - second
  return {
    difference,
    low: Math.max(-1, difference - squareAndAdd(below)),
    high: Math.min(1, difference + squareAndAdd(above)),
  }
}

/** Newcombe's phi: the numerator of a positive correlation is reduced by n/2, to no less than 0. */
function correlation({ bothRight: e, firstOnly: f, secondOnly: g, bothWrong: h }: PairedCounts, total: number): number {
  const margins = (e + f) * (g + h) * (e + g) * (f + h)
  if (margins === 0) return 0
  const product = e * h - f * g
  const corrected = product > 0 ? Math.max(product - total / 2, 0) : product
  return corrected / Math.sqrt(margins)
}

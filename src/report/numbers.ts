// Numbers as the report prints them; a missing one is a dash, never a zero.
import { formatPercent } from '../base/format.ts'
import type { Interval } from '../stats/intervals.ts'

export const MISSING = '–'

/** 0.832 -> '83.2 %'. */
export function percent(share: number | null | undefined): string {
  return share === null || share === undefined ? MISSING : formatPercent(share)
}

/** 3 of 250 -> '1.2 %'. */
export function rate(count: number, items: number): string {
  return items === 0 ? MISSING : formatPercent(count / items)
}

/** 3 of 250 -> '1.2', for columns headed by their unit. */
export function rateFigure(count: number, items: number): string {
  return items === 0 ? MISSING : hundredths(count / items)
}

/** 0.781 and 0.873 -> '78.1 to 87.3'. */
export function interval(range: Interval | null | undefined): string {
  return range ? `${hundredths(range.low)} to ${hundredths(range.high)}` : MISSING
}

/** A difference of shares in points: 0.395 -> '39.5', -0.054 -> '−5.4'. */
export function points(difference: number | null | undefined): string {
  return difference === null || difference === undefined ? MISSING : hundredths(difference)
}

function hundredths(share: number): string {
  const text = (100 * share).toFixed(1)
  return text === '-0.0' ? '0.0' : text.replace('-', '−')
}

/** 'p = 0.031', 'p < 0.001'. */
export function pValue(p: number | null | undefined): string {
  if (p === null || p === undefined) return MISSING
  return p < 0.001 ? 'p < 0.001' : `p = ${p.toFixed(3)}`
}

/** A number with fixed decimals, so that a column's points stand under each other. */
export function decimals(value: number | null | undefined, digits: number): string {
  return value === null || value === undefined || !Number.isFinite(value)
    ? MISSING
    : value.toFixed(digits).replace('-', '−')
}

/** A loss, a log-probability, a length: as many digits as can matter. */
export function measure(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return MISSING
  const size = Math.abs(value)
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3).replace('-', '−')
}

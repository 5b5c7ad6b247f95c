// What the miniature must show on every seed, as written down in docs/decisions before any result.
import type { Way } from '../src/exam/records.ts'
import type { ReportNumbers } from '../src/report/report.ts'

export interface Claim {
  claim: string
  holds: boolean
  /** Points to spare; negative: missing. */
  spare: number
}

/** The claims, checked against a run's report.json. */
export function checkClaims(report: Pick<ReportNumbers, 'variants'>): Claim[] {
  const points = (variant: string, way: Way) => accuracyPoints(report, variant, way)
  const cptAnswers = points('cpt', 'answer')
  const cptExplains = points('cpt', 'explain')
  const rpoExplains = points('cpt+rpo', 'explain')
  const claims: [string, number][] = [
    ['CPT answers at least 50 points above the base', cptAnswers - points('base', 'answer') - 50],
    ['CPT explaining is at least 8 below CPT answering', cptAnswers - cptExplains - 8],
    ['RPO explaining is at least 10 above CPT explaining', rpoExplains - cptExplains - 10],
    ['RPO explaining is at most 6 below CPT answering', rpoExplains - cptAnswers + 6],
    ['RPO answering is within 6 of CPT answering', 6 - Math.abs(points('cpt+rpo', 'answer') - cptAnswers)],
    ['RPO explaining is at least 8 above DPO explaining', rpoExplains - points('cpt+dpo', 'explain') - 8],
  ]
  return claims.map(([claim, spare]) => ({ claim, holds: spare >= -rounding, spare }))
}

/** Shares of whole counts in binary are off by this much at most. */
const rounding = 1e-9

/** Accuracy in percentage points. */
export function accuracyPoints(
  report: Pick<ReportNumbers, 'variants'>,
  variant: string,
  way: Way,
  kind?: string,
): number {
  const summary = report.variants[variant]
  const found = kind === undefined ? summary?.[way] : summary?.kinds[kind]?.[way]
  if (found === undefined)
    throw new Error(`the report has no ${way} of ${variant}${kind === undefined ? '' : `, ${kind}`}`)
  return 100 * found.accuracy
}

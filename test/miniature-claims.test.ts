// The checker of the miniature's claims: each claim fails just beyond its limit and holds at it.
import { expect, test } from 'vitest'
import type { WaySummary } from '../src/report/summary.ts'
import { checkClaims } from './miniature-claims.ts'

/** Accuracies in %, answering and explaining. */
type Results = Record<string, [number, number]>

const atTheLimits: Results = { base: [30, 1], cpt: [80, 64], 'cpt+rpo': [74, 74], 'cpt+dpo': [70, 66] }

function broken(results: Results): string[] {
  const variants = Object.fromEntries(
    Object.entries(results).map(([name, [answer, explain]]) => {
      const way = (accuracy: number) => ({ accuracy: accuracy / 100 }) as WaySummary
      return [name, { role: 'other' as const, answer: way(answer), explain: way(explain), kinds: {} }]
    }),
  )
  return checkClaims({ variants })
    .filter(({ holds }) => !holds)
    .map(({ claim }) => claim)
}

test('results at the limits hold', () => {
  expect(broken(atTheLimits)).toEqual([])
})

test.each<[string, Results]>([
  ['CPT answers at least 50', { base: [31, 1] }],
  ['CPT explaining is at least 8 below', { cpt: [80, 73], 'cpt+rpo': [80, 83], 'cpt+dpo': [70, 70] }],
  ['RPO explaining is at least 10 above', { cpt: [80, 65] }],
  ['RPO explaining is at most 6 below', { 'cpt+rpo': [74, 73], cpt: [80, 60], 'cpt+dpo': [70, 65] }],
  ['RPO answering is within 6', { 'cpt+rpo': [73, 74] }],
  ['RPO answering is within 6', { 'cpt+rpo': [87, 74] }],
  ['RPO explaining is at least 8 above DPO', { 'cpt+dpo': [70, 67] }],
])('%s', (claim, changes) => {
  expect(broken({ ...atTheLimits, ...changes })).toEqual([expect.stringContaining(claim)])
})

import { expect, test } from 'vitest'
import { countPairs, mcnemarExact, type PairedCounts, pairedDifference } from './paired.ts'

const cells = (bothRight: number, firstOnly: number, secondOnly: number, bothWrong: number): PairedCounts => ({
  bothRight,
  firstOnly,
  secondOnly,
  bothWrong,
})

// Sputum media: Armitage and Berry, Statistical Methods in Medical Research, 3rd edition, p. 127, as given in StatsDirect's
// help. Airway reactivity (Bentur et al. 2009): exact conditional test in Fagerland, Lydersen, Laake 2013, BMC Medical
// Research Methodology 13:91.
test.each([
  [cells(20, 12, 2, 16), 0.0129],
  [cells(1, 1, 7, 12), 0.0703],
])("McNemar's exact test %j", (counts, p) => {
  expect(mcnemarExact(counts)).toBeCloseTo(p, 4)
})

test("McNemar's exact test at its ends", () => {
  expect(mcnemarExact(cells(10, 0, 0, 10))).toBe(1)
  expect(mcnemarExact(cells(10, 4, 4, 10))).toBe(1)
  expect(mcnemarExact(cells(0, 0, 0, 0))).toBeUndefined()
  // 2 x 0.5^2000 is below the smallest number; 1100 against 900 is near the normal approximation's 8.6e-6.
  expect(mcnemarExact(cells(0, 0, 2000, 0))).toBe(0)
  expect(mcnemarExact(cells(0, 900, 1100, 0))).toBeCloseTo(8.6e-6, 6)
})

// Newcombe 1998, Statistics in Medicine 17:2635, method 10; and Fagerland, Lydersen, Laake 2014, Statistics in
// Medicine 33:2850, the airway data.
test.each([
  [cells(36, 12, 2, 0), 0.2, 0.0569, 0.3404],
  [cells(1, 1, 7, 12), -0.2857, -0.5069, -0.0256],
])('difference of paired shares %j', (counts, difference, low, high) => {
  const interval = pairedDifference(counts)!
  expect(interval.difference).toBeCloseTo(difference, 4)
  expect(interval.low).toBeCloseTo(low, 4)
  expect(interval.high).toBeCloseTo(high, 4)
})

test('exchanging the two mirrors the interval; no items, no interval', () => {
  const one = pairedDifference(cells(30, 9, 4, 7))!
  const other = pairedDifference(cells(30, 4, 9, 7))!
  expect([other.low, other.high]).toEqual([expect.closeTo(-one.high, 12), expect.closeTo(-one.low, 12)])
  expect(pairedDifference(cells(0, 0, 0, 0))).toBeUndefined()
})

test('counting cells', () => {
  expect(countPairs([true, true, false, false, true], [true, false, true, false, false])).toEqual(cells(1, 2, 1, 1))
  expect(() => countPairs([true], [])).toThrow('internal')
})

import { expect, test } from 'vitest'
import { spreadOf, wilsonInterval } from './intervals.ts'

// Newcombe 1998, Statistics in Medicine 17:857, method 3 (score without continuity correction).
test.each([
  [81, 263, 0.2553, 0.3662],
  [15, 148, 0.0624, 0.1605],
  [0, 20, 0, 0.1611],
  [1, 29, 0.0061, 0.1718],
])('Wilson interval of %d of %d', (successes, total, low, high) => {
  const interval = wilsonInterval(successes, total)!
  expect(interval.low).toBeCloseTo(low, 4)
  expect(interval.high).toBeCloseTo(high, 4)
})

test('the interval stays within 0 and 1 and is undefined without items', () => {
  expect(wilsonInterval(20, 20)).toEqual({ low: expect.closeTo(1 - 0.1611, 4), high: 1 })
  expect(wilsonInterval(0, 0)).toBeUndefined()
})

test('mean and spread over seeds', () => {
  // Mean 5, sum of squares 32, 32 / 7.
  expect(spreadOf([2, 4, 4, 4, 5, 5, 7, 9])).toEqual({
    count: 8,
    mean: 5,
    deviation: expect.closeTo(Math.sqrt(32 / 7), 12),
    low: 2,
    high: 9,
  })
  expect(spreadOf([0.83])).toEqual({ count: 1, mean: 0.83, deviation: undefined, low: 0.83, high: 0.83 })
  expect(spreadOf([])).toBeUndefined()
})

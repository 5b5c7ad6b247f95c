import { describe, expect, it } from 'vitest'
import { decimals, interval, measure, percent, points, pValue, rate, rateFigure } from './numbers.ts'

describe('numbers', () => {
  it.each<[string, string, string]>([
    ['a share', percent(0.8317), '83.2 %'],
    ['no share', percent(undefined), '–'],
    ['a rate', rate(3, 250), '1.2 %'],
    ['a rate of nothing', rate(0, 0), '–'],
    ['a rate under its unit', rateFigure(3, 250), '1.2'],
    ['a rate of nothing under its unit', rateFigure(0, 0), '–'],
    ['an interval', interval({ low: -0.054, high: 0.1 }), '−5.4 to 10.0'],
    ['no interval', interval(null), '–'],
    ['a gain', points(-0.016), '−1.6'],
    ['hardly a gain', points(-0.0001), '0.0'],
    ['a small p', pValue(0.00099), 'p < 0.001'],
    ['a p', pValue(0.0446), 'p = 0.045'],
    ['no p', pValue(undefined), '–'],
    ['a long log-probability', measure(-123.456), '−123'],
    ['a loss', measure(1.2345), '1.23'],
    ['a small loss', measure(0.12345), '0.123'],
    ['not a number', measure(Number.NaN), '–'],
    ['fixed decimals', decimals(-14, 1), '−14.0'],
    ['no decimals of what is not there', decimals(undefined, 1), '–'],
    ['no decimals of an exploded loss', decimals(Number.POSITIVE_INFINITY, 3), '–'],
  ])('%s', (_, printed, expected) => {
    expect(printed).toBe(expected)
  })
})

// Confidence intervals of shares, and mean and spread over seeds. Where there is not enough data the result is undefined.

export interface Interval {
  low: number
  high: number
}

/** The standard normal's 97.5 % point, for two-sided 95 %. */
export const Z_95 = 1.959963984540054

/**
 * Wilson's score interval of a share, without continuity correction (Wilson 1927; method 3 of Newcombe 1998,
 * Statistics in Medicine 17:857). Undefined when total is 0.
 */
export function wilsonInterval(successes: number, total: number, z = Z_95): Interval | undefined {
  if (total === 0) return undefined
  const share = successes / total
  const scale = 1 + (z * z) / total
  const centre = (share + (z * z) / (2 * total)) / scale
  const half = (z * Math.sqrt((share * (1 - share)) / total + (z * z) / (4 * total * total))) / scale
  return {
    low: successes === 0 ? 0 : Math.max(0, centre - half),
    high: successes === total ? 1 : Math.min(1, centre + half),
  }
}

export interface Spread {
  count: number
  mean: number
  /** Standard deviation with n - 1; undefined for a single value. */
  deviation: number | undefined
  low: number
  high: number
}

/** Mean, standard deviation and range of one figure over several seeds; undefined without values. */
export function spreadOf(values: readonly number[]): Spread | undefined {
  const count = values.length
  if (count === 0) return undefined
  const mean = values.reduce((sum, value) => sum + value, 0) / count
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0)
  return {
    count,
    mean,
    deviation: count < 2 ? undefined : Math.sqrt(squares / (count - 1)),
    low: Math.min(...values),
    high: Math.max(...values),
  }
}

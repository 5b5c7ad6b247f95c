// The least and the largest of many numbers: of more than a call takes as arguments, some 100,000.

/** The largest, and no less than `least`. */
export function largestOf(values: Iterable<number>, least: number): number {
  let largest = least
  for (const value of values) if (value > largest) largest = value
  return largest
}

/** The least and the largest. */
export function rangeOf(values: readonly number[]): [number, number] {
  return values.reduce<[number, number]>(
    ([least, largest], value) => [Math.min(least, value), Math.max(largest, value)],
    [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  )
}

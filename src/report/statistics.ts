// Stand-in until src/stats lands.
export function wilsonInterval(correct: number, items: number): [number, number] {
  const z = 1.959963984540054
  const p = correct / items
  const centre = (p + (z * z) / (2 * items)) / (1 + (z * z) / items)
  const half = (z * Math.sqrt((p * (1 - p)) / items + (z * z) / (4 * items * items))) / (1 + (z * z) / items)
  return [Math.max(0, centre - half), Math.min(1, centre + half)]
}
export function pairedDifferenceInterval(b: number, c: number, n: number): [number, number] {
  const d = (b - c) / n
  const se = Math.sqrt(b + c - (b - c) ** 2 / n) / n
  return [d - 1.96 * se, d + 1.96 * se]
}
export function mcnemarExact(b: number, c: number): number {
  const n = b + c
  let term = 0.5 ** n
  let tail = 0
  for (let k = 0; k <= Math.min(b, c); k++) {
    tail += term
    term = (term * (n - k)) / (k + 1)
  }
  return Math.min(1, 2 * tail)
}

// GPUs by name: memory, how fast it is read, and the rate of dense matrix products in bf16, as their makers state them.

export interface Card {
  name: string
  /** What a program may use of it. */
  bytes: number
  /** Dense bf16, floating-point operations a second. */
  operationsPerSecond: number
  /** What its memory gives, bytes a second. */
  bytesPerSecond: number
}

const gibibyte = 2 ** 30

/** Makers' data sheets; usable memory is what the driver reports, a little below the name. */
export const cards: readonly Card[] = [
  { name: 'H200', bytes: 139 * gibibyte, operationsPerSecond: 989e12, bytesPerSecond: 4.8e12 },
  { name: 'H100', bytes: 79 * gibibyte, operationsPerSecond: 989e12, bytesPerSecond: 3.35e12 },
  { name: 'A100-80GB', bytes: 79 * gibibyte, operationsPerSecond: 312e12, bytesPerSecond: 2.039e12 },
  { name: 'A100-40GB', bytes: 39 * gibibyte, operationsPerSecond: 312e12, bytesPerSecond: 1.555e12 },
  { name: 'L40S', bytes: 44 * gibibyte, operationsPerSecond: 362e12, bytesPerSecond: 0.864e12 },
  { name: 'RTX-A6000', bytes: 47 * gibibyte, operationsPerSecond: 155e12, bytesPerSecond: 0.768e12 },
  { name: 'RTX-4090', bytes: 23.5 * gibibyte, operationsPerSecond: 165e12, bytesPerSecond: 1.008e12 },
]

export function findCard(name: string): Card | undefined {
  const plain = (text: string) => text.toLowerCase().replace(/nvidia|geforce|pcie|sxm\d?|[^a-z0-9]/g, '')
  return cards.find((card) => plain(card.name) === plain(name))
}

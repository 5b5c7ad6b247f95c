// Preference groups: trees share prompts and responses, stay within their limit, and lose no pair.
import { describe, expect, it } from 'vitest'
import { rowLength } from './batch.ts'
import { divideTrees, growTrees, orderPairs, type Pair } from './preference-groups.ts'

const pair = (id: string, question: number, chosen: number[], rejected: number[]): Pair => ({
  id,
  question: `q${question}`,
  promptTokens: [question, question, question],
  chosenTokens: chosen,
  rejectedTokens: rejected,
})
const pairs = [
  pair('a', 1, [10, 11], [12]),
  pair('b', 1, [10, 11], [13, 14, 15]),
  pair('c', 2, [10], [12]),
  pair('d', 1, [12], [10, 11]),
]

describe('preference groups', () => {
  it('computes a prompt once and an equal response once', () => {
    const [first, second] = growTrees(pairs, 100)
    expect(first!.row.segments.map(({ tokens, firstPosition, parent }) => [tokens, firstPosition, parent])).toEqual([
      [[1, 1], 0, undefined],
      [[1, 10], 2, 0],
      [[1], 2, 0],
      [[1, 13, 14], 2, 0],
    ])
    expect(first!.row.predictions).toEqual([
      { place: 2, target: 10 },
      { place: 3, target: 11 },
      { place: 4, target: 12 },
      { place: 5, target: 13 },
      { place: 6, target: 14 },
      { place: 7, target: 15 },
    ])
    expect(first!.pairs.map(({ pair, chosen, rejected }) => [pair.id, chosen, rejected])).toEqual([
      ['a', 0, 1],
      ['b', 0, 2],
      ['d', 1, 0],
    ])
    expect(second!.pairs.map(({ pair }) => pair.id)).toEqual(['c'])
  })

  it('begins a new tree at the limit, and lets a single pair exceed it', () => {
    const trees = growTrees(pairs, 4)
    expect(trees.flatMap((tree) => tree.pairs.map(({ pair }) => pair.id)).sort()).toEqual(['a', 'b', 'c', 'd'])
    expect(trees.map(({ row }) => rowLength(row))).toEqual([5, 7, 4, 5])
  })

  it('divides trees by tokens and by parts, losing none', () => {
    const trees = growTrees(pairs, 4)
    for (const [maxTokens, parts, counts] of [
      [1000, 1, [4]],
      [1000, 2, [2, 2]],
      [1000, 3, [2, 1, 1]],
      [12, 1, [1, 2, 1]],
      [1, 1, [1, 1, 1, 1]],
    ] as const) {
      const batches = divideTrees(trees, maxTokens, parts)
      expect(batches.map((batch) => batch.length)).toEqual(counts)
      expect(new Set(batches.flat())).toEqual(new Set(trees))
    }
  })

  it('orders by seed and epoch, the pairs of a question together', () => {
    const questions = Uint32Array.from({ length: 20 }, (_, i) => i % 10)
    const order = (seed: number, epoch: number) => [...orderPairs(questions, seed, epoch)]
    expect(order(1, 0)).toEqual(order(1, 0))
    expect(order(1, 0)).not.toEqual(order(1, 1))
    expect(order(1, 0)).not.toEqual(order(2, 0))
    expect(order(1, 0).toSorted((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, i) => i))
    for (let i = 0; i < 20; i += 2) expect(order(1, 0)[i + 1]).toBe(order(1, 0)[i]! + 10)
  })
})

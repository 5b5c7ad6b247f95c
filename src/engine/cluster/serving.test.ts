// The arithmetic of a served model against sums by hand.
import { expect, it } from 'vitest'
import { findPublishedShape } from '../../model/published-shapes.ts'
import { requireCard } from './choose.ts'
import { servingTime } from './serving.ts'

const shape = (name: string) => {
  const found = findPublishedShape(name)
  if (found === undefined) throw new Error(name)
  return found
}
const card = requireCard('A100-80GB')

it('writes a few outputs as fast as memory gives the weights, many as fast as the cards multiply', () => {
  const config = shape('Qwen/Qwen2.5-7B')
  // 7.07 G weights are multiplied: all but the table of 0.545 G. Keys and values: 28 layers x 2 x 4 heads x 128 x 2 B a token.
  const weights = 7.07e9
  const keys = 28 * 2 * 4 * 128 * 2
  const one = servingTime(config, { promptTokens: 1000, newTokens: 1000, outputs: 1, concurrency: 8 }, card, 1)
  const reading = (2 * weights * 1000) / (0.3 * 312e12)
  const writing = (1000 * (2 * weights + keys * 1500)) / (0.6 * 2.039e12)
  expect((one?.seconds ?? 0) / (reading + writing)).toBeCloseTo(1, 2)
  expect(one?.formula).toMatch(/1,000 steps of 1 outputs x \(7\.07 G weights x 2 B .* 2,039 GB\/s x 60 %/)

  const many = { promptTokens: 1e6, newTokens: 1e6, outputs: 10_000, concurrency: 400 }
  const products = (2 * weights * 2e6) / (0.3 * 312e12)
  const fast = servingTime(config, many, card, 1)
  expect((fast?.seconds ?? 0) / products).toBeCloseTo(1, 2)
  expect(servingTime(config, many, card, 4)?.seconds).toBeCloseTo((fast?.seconds ?? 0) / 4, 3)
})

it('asks for no more outputs at once than their keys and values have room, and for none where the weights have none', () => {
  const config = shape('Qwen/Qwen2.5-72B')
  const long = { promptTokens: 1000 * 4000, newTokens: 1000 * 4000, outputs: 1000, concurrency: 1000 }
  // 4 x 76.3 GB for 145.4 GB of weights leave 160 GB: 61 outputs of 8,000 tokens at 327,680 B.
  expect(servingTime(config, long, card, 4)?.formula).toMatch(/steps of 6[01] outputs/)
  expect(servingTime(config, long, card, 1)).toBeUndefined()
})

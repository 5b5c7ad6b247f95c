// Batches: who sees whom, positions and padding, on a row small enough to draw.
import { expect, it } from 'vitest'
import { joinRows, makeBatch, type Row } from './batch.ts'

const tree: Row = {
  segments: [
    { tokens: [1], firstPosition: 0 },
    { tokens: [2, 3], firstPosition: 1, parent: 0 },
    { tokens: [2], firstPosition: 1, parent: 0 },
    { tokens: [4], firstPosition: 3, parent: 1 },
  ],
  predictions: [
    { place: 1, target: 3 },
    { place: 2, target: 4 },
    { place: 3, target: 5 },
  ],
}
const document: Row = { segments: [{ tokens: [6, 7], firstPosition: 0 }], predictions: [{ place: 0, target: 7 }] }

const draw = (bias: Float32Array, tokens: number, row: number) =>
  Array.from({ length: tokens }, (_, i) =>
    Array.from({ length: tokens }, (_, j) => (bias[(row * tokens + i) * tokens + j] === 0 ? 'x' : '.')).join(''),
  )

it('lets responses see their prompt and themselves, documents themselves, padding itself', () => {
  const batch = makeBatch([joinRows([tree, document]), document])
  expect(batch).toMatchObject({ rows: 2, tokens: 7, predictions: 5 })
  expect(draw(batch.attentionBias, 7, 0)).toEqual([
    'x......',
    'xx.....',
    'xxx....',
    'x..x...',
    'xxx.x..',
    '.....x.',
    '.....xx',
  ])
  expect(draw(batch.attentionBias, 7, 1).slice(0, 4)).toEqual(['x......', 'xx.....', '..x....', '...x...'])
  expect([...batch.positions]).toEqual([0, 1, 2, 1, 3, 0, 1, 0, 1, 0, 0, 0, 0, 0])
  expect([...batch.tokenIds]).toEqual([1, 2, 3, 2, 4, 6, 7, 6, 7, 0, 0, 0, 0, 0])
  expect([...batch.lossPositions]).toEqual([1, 2, 3, 5, 7])
  expect([...batch.predictionOf]).toEqual([5, 0, 1, 2, 5, 3, 5, 4, 5, 5, 5, 5, 5, 5])
  expect([...batch.targets]).toEqual([3, 4, 5, 7, 7])
})

it('refuses a place that predicts twice', () => {
  const twice = { ...tree, predictions: [...tree.predictions, { place: 1, target: 5 }] }
  expect(() => makeBatch([twice])).toThrow('a place predicts twice')
})

it.each([
  [4, [1, 2, 3]],
  [2, [1, 2, 3, 0]],
])('pads predictions to the fewest equal chunks of at most %i', (chunk, places) => {
  const batch = makeBatch([tree], chunk)
  expect(batch.predictions).toBe(3)
  expect([...batch.lossPositions]).toEqual(places)
})

it('never leaves a prediction alone in a chunk', () => {
  expect(makeBatch([document], 4).lossPositions).toHaveLength(2)
})

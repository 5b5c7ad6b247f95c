// Batches: who sees whom, positions and padding, on a row small enough to draw.
import { expect, it } from 'vitest'
import { joinRows, makeBatch, type Row } from './batch.ts'

const tree: Row = {
  segments: [
    { tokens: [1, 2], firstPosition: 0 },
    { tokens: [3, 4], firstPosition: 2, parent: 0 },
    { tokens: [5], firstPosition: 2, parent: 0 },
  ],
  predictions: [
    { place: 1, target: 3 },
    { place: 2, target: 4 },
    { place: 1, target: 5 },
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
    'xxxx...',
    'xx..x..',
    '.....x.',
    '.....xx',
  ])
  expect(draw(batch.attentionBias, 7, 1).slice(0, 4)).toEqual(['x......', 'xx.....', '..x....', '...x...'])
  expect([...batch.positions]).toEqual([0, 1, 2, 3, 2, 0, 1, 0, 1, 0, 0, 0, 0, 0])
  expect([...batch.tokenIds]).toEqual([1, 2, 3, 4, 5, 6, 7, 6, 7, 0, 0, 0, 0, 0])
  expect([...batch.lossPositions]).toEqual([1, 2, 1, 5, 7])
  expect([...batch.targets]).toEqual([3, 4, 5, 7, 7])
})

it('pads predictions to a multiple of the chunk', () => {
  const batch = makeBatch([tree], 4)
  expect(batch.predictions).toBe(3)
  expect([...batch.lossPositions]).toEqual([1, 2, 1, 0])
})

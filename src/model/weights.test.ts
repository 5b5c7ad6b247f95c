// Rotary frequencies: plain ones, and those that Llama 3 stretches.
import { expect, it } from 'vitest'
import { findPublishedShape } from './published-shapes.ts'
import { rotaryFrequencies } from './weights.ts'

const shape = { ...findPublishedShape('Qwen/Qwen2.5-0.5B')!, headWidth: 16, rotaryBase: 10_000 }

it('falls by the base over the head', () => {
  expect(rotaryFrequencies(shape)).toEqual(
    [1, 10 ** -0.5, 0.1, 10 ** -1.5, 0.01, 10 ** -2.5, 1e-3, 10 ** -3.5].map(near),
  )
})

it('keeps quick turns, divides slow ones, and mixes those between, as transformers does for llama3', () => {
  const scaling = { factor: 8, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalContextTokens: 64 }
  // transformers' formula by wavelengths: the first stays, two lie between, the others are an eighth.
  const expected = [1, 0.24438459943539834, 0.013042256043820465, 10 ** -1.5 / 8, 0.00125]
  expect(rotaryFrequencies({ ...shape, rotaryScaling: scaling }).slice(0, 5)).toEqual(expected.map(near))
})

function near(value: number): number {
  return expect.closeTo(value, 12) as number
}

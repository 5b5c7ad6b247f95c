// 16-bit numbers: every pattern comes back, and rounding goes to the nearest, ties to even.
import { expect, it } from 'vitest'
import { roundToBfloat16, roundToFloat16, widenBfloat16, widenFloat16 } from './half-precision.ts'

const patterns = Uint16Array.from({ length: 2 ** 16 }, (_, i) => i)

it.each([
  ['bfloat16', widenBfloat16, roundToBfloat16],
  ['float16', widenFloat16, roundToFloat16],
] as const)('%s: widened and rounded again, every pattern that is a number is itself', (_name, widen, round) => {
  const wide = widen(patterns)
  const back = round(wide)
  for (const [i, value] of wide.entries()) {
    if (Number.isNaN(value)) expect(widen(back.slice(i, i + 1))[0]).toBeNaN()
    else if (back[i] !== i) expect.fail(`${i} became ${back[i]}`)
  }
})

it.each([
  ['bfloat16', roundToBfloat16, [1, 1 + 2 ** -8, 1 + 3 * 2 ** -8, -1 - 2 ** -7], [0x3f80, 0x3f80, 0x3f82, 0xbf81]],
  [
    'float16',
    roundToFloat16,
    [1, 1 + 2 ** -11, 1 + 3 * 2 ** -11, -(2 ** -24), -0, 1e9],
    [0x3c00, 0x3c00, 0x3c02, 0x8001, 0x8000, 0x7c00],
  ],
] as const)('%s: to the nearest, ties to even, signs kept', (_name, round, values, bits) => {
  expect([...round(Float32Array.from(values))]).toEqual([...bits])
})

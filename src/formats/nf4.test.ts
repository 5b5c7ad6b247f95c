// NF4: levels, borders, scales. test/peers compares it with bitsandbytes itself.
import { describe, expect, it } from 'vitest'
import { Random } from '../base/random.ts'
import { dequantiseNf4, measureBlocks, nf4Block, quantiseNf4, roundBlocks, roundToNf4, scalesOf } from './nf4.ts'

/** A block whose largest magnitude is 1, so that its values are their own share of it. */
const block = (...values: number[]) =>
  Float32Array.from({ length: nf4Block }, (_, i) => values[i] ?? (i === 63 ? 1 : 0))
const codesOf = (values: Float32Array) => [...quantiseNf4(values).codes].flatMap((byte) => [byte >> 4, byte & 15])

describe('codes', () => {
  it.each([
    [-1, 0],
    [-0.7, 1],
    [-0.0001, 7],
    [0, 7],
    [0.04, 8],
    [0.5, 12],
    [0.51, 13],
    [0.99, 15],
  ])('of %d is %d', (value, code) => {
    expect(codesOf(block(value))[0]).toBe(code)
  })

  it('put the first weight into the upper half of a byte', () => {
    expect(quantiseNf4(block(-1, 1)).codes[0]).toBe(0x0f)
  })

  it('of a block of zeros stand for zeros', () => {
    expect(roundToNf4(new Float32Array(2 * nf4Block)).every((value) => value === 0)).toBe(true)
  })
})

it('rounds in pieces to what the whole becomes, the borders between levels and their neighbours included', () => {
  const random = new Random(2, 'nf4')
  const levels = Array.from({ length: 16 }, (_, code) => {
    return dequantiseNf4({ codes: new Uint8Array(32).fill(code * 17), scales: Float32Array.of(1) })[0]!
  })
  const borders = levels.slice(1).map((level, i) => Math.fround((level + levels[i]!) / 2))
  const close = borders.flatMap((border) => [border - 2 ** -26, border, border + 2 ** -26])
  const values = Float32Array.from({ length: 700 * nf4Block }, () => random.normal())
  values.set(block(...close))
  const pieces = [0, 3, 4, 300].map((start, i, all) => values.slice(start * nf4Block, (all[i + 1] ?? 700) * nf4Block))
  const { largest, rounded } = scalesOf(pieces.map(measureBlocks))
  let done = 0
  for (const piece of pieces) {
    const end = done + piece.length / nf4Block
    roundBlocks(piece, { largest: largest.subarray(done, end), rounded: rounded.subarray(done, end) })
    done = end
  }
  expect(Float32Array.from(pieces.flatMap((piece) => [...piece]))).toEqual(roundToNf4(values))
  // By hand: as many levels as borders lie below a value.
  expect(codesOf(block(...close)).slice(0, close.length)).toEqual(
    close.map((value) => borders.filter((border) => border < Math.fround(value)).length),
  )
})

it('gives each weight the nearest level of its block, and no error of a scale above half of an 8-bit step', () => {
  const random = new Random(1, 'nf4')
  const values = Float32Array.from({ length: 400 * nf4Block }, (_, i) => (1 + (i >> 12)) * random.normal())
  const weight = quantiseNf4(values)
  const largest = Array.from({ length: 400 }, (_, b) => {
    return values.subarray(b * nf4Block, (b + 1) * nf4Block).reduce((most, value) => Math.max(most, Math.abs(value)), 0)
  })
  const mean = largest.reduce((a, b) => a + b) / largest.length
  weight.scales.forEach((scale, b) => {
    const start = b - (b % 256)
    const reach = Math.max(...largest.slice(start, start + 256).map((value) => Math.abs(value - mean)))
    // The largest step of the 8-bit map is 0.9 / 64.
    expect(Math.abs(scale - largest[b]!)).toBeLessThan((reach * 0.9) / 64)
  })
  const levels = Array.from({ length: 16 }, (_, code) => {
    return dequantiseNf4({ codes: new Uint8Array(32).fill(code * 17), scales: Float32Array.of(1) })[0]!
  })
  expect(levels).toEqual(levels.toSorted((a, b) => a - b))
  codesOf(values).forEach((code, i) => {
    const share = values[i]! / largest[Math.floor(i / nf4Block)]!
    const distance = (level: number) => Math.abs(level - share)
    expect(distance(levels[code]!)).toBeLessThan(Math.min(...levels.map(distance)) + 1e-6)
  })
})

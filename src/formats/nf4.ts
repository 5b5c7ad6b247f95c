// NF4 with double quantisation (Dettmers et al. 2023), as bitsandbytes stores it: 4-bit codes in blocks of 64 weights, each
// block scaled by its largest magnitude, and these scales in 8 bits in blocks of 256.
import { internal } from '../base/errors.ts'
import { nf4Levels } from '../base/nf4-levels.ts'

/** Weights a scale. */
export const nf4Block = 64
/** Scales a scale of scales. */
const scaleBlock = 256

/** A quantised weight: two codes a byte, the first one in the upper half; a scale a block, rounded as 8 bits would hold it. */
export interface Nf4Weight {
  codes: Uint8Array
  scales: Float32Array
}

/** Where one level ends and the next begins: a value on the border belongs to the lower one. */
const borders = middles(nf4Levels)

/** The range from -1 to 1 in cells: of each the code of all that lies in it, or that there is a border in it. */
const cells = 4096
const manyCodes = 255
const cellCodes = Uint8Array.from({ length: cells + 1 }, (_, cell) => {
  const code = findLevel(borders, (2 * cell) / cells - 1)
  return code === findLevel(borders, (2 * (cell + 1)) / cells - 1) ? code : manyCodes
})

/** The 8-bit dynamic map (Dettmers et al. 2022): seven decades, each with twice the steps of the one below. */
const scaleLevels = makeScaleLevels()
const scaleBorders = middles(scaleLevels)

/** Quantises a weight whose size is a multiple of 64. */
export function quantiseNf4(values: Float32Array): Nf4Weight {
  const largest = measureBlocks(values)
  return { codes: encodeBlocks(values, largest), scales: roundScales(largest) }
}

/** The largest magnitude of each block of a weight, or of some of its blocks. */
export function measureBlocks(values: Float32Array): Float32Array {
  if (values.length % nf4Block !== 0) internal(`${values.length} weights in blocks of ${nf4Block}`)
  const largest = new Float32Array(values.length / nf4Block)
  for (let block = 0, i = 0; block < largest.length; block++) {
    let most = 0
    for (const end = i + nf4Block; i < end; i++) most = Math.max(most, Math.abs(values[i]!))
    largest[block] = most
  }
  return largest
}

/** The same of numbers in 16 bits, as such: their magnitudes are in the order of their bits without the sign. */
export function measureHalves(halves: Uint16Array): Uint16Array {
  const largest = new Uint16Array(halves.length / nf4Block)
  for (let block = 0, i = 0; block < largest.length; block++) {
    let most = 0
    for (const end = i + nf4Block; i < end; i++) most = Math.max(most, halves[i]! & 0x7fff)
    largest[block] = most
  }
  return largest
}

/** The codes of blocks whose largest magnitudes are these. */
function encodeBlocks(values: Float32Array, largest: Float32Array): Uint8Array {
  const codes = new Uint8Array(values.length / 2)
  for (let block = 0, i = 0; block < largest.length; block++) {
    const inverse = inverseOf(largest[block]!)
    for (const end = i + nf4Block; i < end; i += 2) {
      const first = nearestLevel(Math.fround(values[i]! * inverse))
      const second = nearestLevel(Math.fround(values[i + 1]! * inverse))
      codes[i >> 1] = (first << 4) | second
    }
  }
  return codes
}

/** The weights that the codes stand for. */
export function dequantiseNf4({ codes, scales }: Nf4Weight): Float32Array {
  const values = new Float32Array(2 * codes.length)
  for (let i = 0; i < codes.length; i++) {
    const scale = scales[Math.floor((2 * i) / nf4Block)]!
    values[2 * i] = nf4Levels[codes[i]! >> 4]! * scale
    values[2 * i + 1] = nf4Levels[codes[i]! & 15]! * scale
  }
  return values
}

/** What a weight becomes in NF4. */
export const roundToNf4 = (values: Float32Array): Float32Array => dequantiseNf4(quantiseNf4(values))

/** What the blocks of a weight, or some of them, are rounded by: their largest magnitudes, and these as 8 bits hold them. */
export interface Nf4Scales {
  largest: Float32Array
  rounded: Float32Array
}

/** The scales of a whole weight from the largest magnitudes of its blocks, in pieces: each scale depends on all of them. */
export function scalesOf(pieces: readonly Float32Array[]): Nf4Scales {
  const largest = new Float32Array(pieces.reduce((sum, { length }) => sum + length, 0))
  let block = 0
  for (const piece of pieces) {
    largest.set(piece, block)
    block += piece.length
  }
  return { largest, rounded: roundScales(largest) }
}

/** Rounds blocks in place to what their codes stand for. */
export function roundBlocks(values: Float32Array, { largest, rounded }: Nf4Scales): void {
  for (let block = 0, i = 0; block < largest.length; block++) {
    const inverse = inverseOf(largest[block]!)
    const scale = rounded[block]!
    for (const end = i + nf4Block; i < end; i++)
      values[i] = nf4Levels[nearestLevel(Math.fround(values[i]! * inverse))]! * scale
  }
}

/** All scales of a weight as 8 bits would hold them: less their mean, each to the nearest level times the largest of its block. */
function roundScales(scales: Float32Array): Float32Array {
  const mean = Math.fround(scales.reduce((sum, scale) => sum + scale, 0) / scales.length)
  const rounded = new Float32Array(scales.length)
  for (let start = 0; start < scales.length; start += scaleBlock) {
    const block = scales.subarray(start, start + scaleBlock).map((scale) => scale - mean)
    const most = block.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0)
    const inverse = most === 0 ? 0 : Math.fround(1 / most)
    block.forEach((value, i) => {
      const level = scaleLevels[findLevel(scaleBorders, Math.fround(value * inverse))]!
      rounded[start + i] = Math.fround(level * most) + mean
    })
  }
  return rounded
}

const inverseOf = (largest: number) => Math.fround(1 / Math.max(largest, 1e-38))

/** The code of a share of the block's largest magnitude: by its cell, or where that has a border by search. */
function nearestLevel(share: number): number {
  const code = cellCodes[((share + 1) * (cells / 2)) | 0]!
  return code === manyCodes ? findLevel(borders, share) : code
}

/** How many borders lie below a value: the level that it is nearest to. */
function findLevel(borders: Float32Array, value: number): number {
  let low = 0
  let high = borders.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (borders[middle]! < value) low = middle + 1
    else high = middle
  }
  return low
}

function middles(levels: Float32Array): Float32Array {
  return Float32Array.from({ length: levels.length - 1 }, (_, i) => (levels[i]! + levels[i + 1]!) / 2)
}

function makeScaleLevels(): Float32Array {
  const found = [0, 1]
  for (let decade = 0; decade < 7; decade++) {
    const steps = 2 ** decade
    const border = (i: number) => Math.fround(0.1 + (0.9 * i) / steps)
    for (let i = 0; i < steps; i++) {
      const level = 10 ** (decade - 6) * Math.fround((border(i) + border(i + 1)) / 2)
      found.push(level, -level)
    }
  }
  return Float32Array.from(found).sort()
}

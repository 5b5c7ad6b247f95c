// Weights as signed 8-bit integers, each row with its own scale: what products of integers take as they are.
import { dequantiseBlocks, quantiseBlocks } from './block-integers.ts'

/** A weight [outputs, inputs]: int8 codes by their bytes, the same transposed [inputs, outputs], and a scale a row [outputs]. */
export interface Int8Weight {
  codes: Uint8Array
  transposed: Uint8Array
  scales: Float32Array
}

/** What turns a code of blocks, which are integers plus 128, into the byte of the integer. */
const signBit = 128

export function quantiseInt8(values: Float32Array, inputs: number): Int8Weight {
  // A row is one block.
  const { codes: integers, scales } = quantiseBlocks(values, inputs, inputs)
  const codes = integers.map((code) => code ^ signBit)
  const outputs = scales.length
  const transposed = new Uint8Array(codes.length)
  for (let row = 0, from = 0; row < outputs; row++) {
    for (let column = 0; column < inputs; column++) transposed[column * outputs + row] = codes[from++]!
  }
  return { codes, transposed, scales }
}

/** What a weight [outputs, inputs], or some rows of it, becomes in 8 bits. */
export const roundToInt8 = (values: Float32Array, inputs: number): Float32Array =>
  dequantiseBlocks(quantiseBlocks(values, inputs, inputs), inputs, inputs)

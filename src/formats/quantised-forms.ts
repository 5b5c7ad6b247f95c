// The forms in few bits that frozen weights may be held in: what a weight becomes in each.
import { roundToInt8 } from './int8.ts'
import { roundPiecesToNf4, roundToNf4 } from './nf4.ts'

export type QuantisedForm = 'nf4' | 'int8'
/** How a frozen weight may be held at all. */
export type HeldForm = 'float32' | QuantisedForm

/** The numbers that a weight's codes stand for, from the weight [outputs, inputs]. */
export const roundWeight: Record<QuantisedForm, (values: Float32Array, inputs: number) => Float32Array> = {
  nf4: roundToNf4,
  int8: roundToInt8,
}

type Pieces = AsyncIterable<Float32Array>

/** The same of a weight that is read in pieces of whole rows and whole blocks, more than once where the form needs it. */
export const roundPieces: Record<QuantisedForm, (read: () => Pieces, inputs: number) => Pieces> = {
  nf4: roundPiecesToNf4,
  int8: async function* (read, inputs) {
    for await (const rows of read()) yield roundToInt8(rows, inputs)
  },
}

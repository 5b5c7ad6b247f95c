// The forms in few bits that frozen weights may be held in: what a weight becomes in each.
import { roundToInt8 } from './int8.ts'
import { roundToNf4 } from './nf4.ts'

export type QuantisedForm = 'nf4' | 'int8'
/** How a frozen weight may be held at all. */
export type HeldForm = 'float32' | QuantisedForm

/** The numbers that a weight's codes stand for, from the weight [outputs, inputs]. */
export const roundWeight: Record<QuantisedForm, (values: Float32Array, inputs: number) => Float32Array> = {
  nf4: roundToNf4,
  int8: roundToInt8,
}

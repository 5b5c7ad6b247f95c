// Products with frozen weights of 8-bit integers in ONNX: activations become integers too, each row by its own scale.
import type { Value } from '../graph/value.ts'
import type { Emitter } from './emitter.ts'

/** What zero is among the unsigned codes of activations. */
const zeroCode = 128
/** Of the largest magnitude in a row: codes reach from 1 to 255. */
const largestCode = 127
/** The least scale of a row, so that one of zeros alone has codes too. */
const leastScale = 1e-35

/** Integers add up exactly, in any order: a row has the same bits in any company and on any number of threads. */
export function emitInt8Product(value: Value<'matmulInt8'>, emitter: Emitter, inputs: readonly string[]): string {
  const [x, codes, transposed, scales] = inputs as [string, string, string, string]
  // x·W = (x * scales)·codes: backward, the weight's scales lie along what is summed over.
  const { backward } = value.attributes
  const scaled = backward ? emitter.node('Mul', [x, scales]) : x
  const { rounded, rowScales } = emitter.once(`int8 ${scaled}`, () => roundRows(emitter, scaled))
  const one = emitter.floats([1])
  const [weight, weightScales] = backward ? [codes, one] : [transposed, scales]
  const operands = [rounded, weight, one, weightScales, zero(emitter)]
  return emitter.node('Mul', [emitter.node('MatMulIntegerToFloat', operands, {}, 'com.microsoft'), rowScales])
}

/** Rows as codes, and their scales [N, 1]. */
function roundRows(emitter: Emitter, x: string): { rounded: string; rowScales: string } {
  const magnitudes = emitter.node('Abs', [x])
  const largest = emitter.node('ReduceMax', [magnitudes, emitter.int64s([1])], { keepdims: { int: 1 } })
  const steps = emitter.node('Mul', [largest, emitter.floats([1 / largestCode])])
  const rowScales = emitter.node('Max', [steps, emitter.floats([leastScale])])
  const flat = emitter.node('Reshape', [rowScales, emitter.int64s([-1])])
  const zeros = emitter.node('Expand', [zero(emitter), emitter.node('Shape', [flat])])
  return { rounded: emitter.node('QuantizeLinear', [x, flat, zeros], { axis: { int: 0 } }), rowScales }
}

const zero = (emitter: Emitter): string =>
  emitter.once('zero code', () =>
    emitter.tensor({ name: emitter.freshName(), type: 'uint8', shape: [], data: Uint8Array.of(zeroCode) }),
  )

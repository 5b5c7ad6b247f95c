// Products with NF4 weights in ONNX.
import { nf4Levels } from '../base/nf4-levels.ts'
import type { Value } from '../graph/value.ts'
import type { Emitter } from './emitter.ts'

const block = 64

/**
 * Forward, ONNX Runtime's own operator unpacks the weight and multiplies. It ignores transB on the CPU (1.30), so backward
 * the weight is unpacked here: pairs of levels by byte, times their block's scale.
 */
export function emitNf4Product(value: Value<'matmulNf4'>, emitter: Emitter, inputs: readonly string[]): string {
  const [x, codes, scales] = inputs as [string, string, string]
  const { outputs, inputs: width, backward } = value.attributes
  if (!backward) {
    const attributes = { K: { int: width }, N: { int: outputs }, block_size: { int: block }, quant_type: { int: 1 } }
    return emitter.node('MatMulBnb4', [x, codes, scales], attributes, 'com.microsoft')
  }
  const size = outputs * width
  const pairs = Array.from({ length: 256 }, (_, byte) => [nf4Levels[byte >> 4]!, nf4Levels[byte & 15]!]).flat()
  // In a shape that depends on x's: a constant alone would be unpacked once and for all when the session opens.
  const fedSize = emitter.node('Add', [emitter.int64s([size / 2]), emitter.nothingOf(x)])
  const bytes = emitter.node('Cast', [emitter.node('Reshape', [codes, fedSize])], { to: { int: 6 } })
  const levels = emitter.node('Gather', [emitter.floats(pairs, [256, 2]), bytes])
  const blocks = emitter.node('Reshape', [levels, emitter.int64s([size / block, block])])
  const column = emitter.node('Reshape', [scales, emitter.int64s([size / block, 1])])
  const scaled = emitter.node('Mul', [blocks, column])
  return emitter.node('MatMul', [x, emitter.node('Reshape', [scaled, emitter.int64s([outputs, width])])])
}

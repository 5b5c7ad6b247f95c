// ONNX rules: how each operation is written in ONNX, in the form that ONNX Runtime runs fastest on a CPU.
import { internal } from '../base/errors.ts'
import { dropoutThreshold } from '../graph/dropout.ts'
import type { Rules, Value } from '../graph/value.ts'
import { emitDraw, emitLargest, emitPick } from './choice.ts'
import type { Emitter } from './emitter.ts'
import { emitDirection, emitHeadGradient, emitLogProbability } from './head.ts'
import { emitInt8Product } from './int8.ts'
import { emitNf4Product } from './nf4.ts'

/** `inputs` are the ONNX names of the value's inputs; the rule adds nodes and returns the name of the result. */
type OnnxRules = Rules<[emitter: Emitter, inputs: readonly string[]], string>

const plain =
  (operation: string) =>
  (_: Value, emitter: Emitter, inputs: readonly string[]): string =>
    emitter.node(operation, [...inputs])
const given = (): string => internal('inputs and parameters are named by the compiler')
const microsoft = 'com.microsoft'

export const onnxRules: OnnxRules = {
  input: given,
  parameter: given,
  constant: ({ attributes: { value } }, emitter) => emitter.floats([value]),
  add: plain('Add'),
  subtract: plain('Sub'),
  multiply: plain('Mul'),
  divide: plain('Div'),
  negate: plain('Neg'),
  exp: plain('Exp'),
  log: plain('Log'),
  sqrt: plain('Sqrt'),
  sigmoid: plain('Sigmoid'),
  // QuickGelu is x sigmoid(alpha x), in one pass over memory.
  silu: (_, emitter, [x]) => emitter.node('QuickGelu', [x!], { alpha: { float: 1 } }, microsoft),
  softplus: plain('Softplus'),
  matmul: ({ attributes: { transposeA, transposeB, scale } }, emitter, [a, b]) =>
    !transposeA && !transposeB && scale === 1
      ? emitter.node('MatMul', [a!, b!])
      : emitter.node(
          'FusedMatMul',
          [a!, b!],
          { transA: { int: Number(transposeA) }, transB: { int: Number(transposeB) }, alpha: { float: scale } },
          microsoft,
        ),
  matmulNf4: emitNf4Product,
  // accuracy_level 4: the activations in 8 bits too, so that the products are of integers.
  matmulBlocks: ({ attributes: { inputs: width }, inputs: [, weight] }, emitter, [x, codes, scales]) => {
    const [outputs, , block] = weight!.shape as [number, number, number]
    const sizes = { K: { int: width }, N: { int: outputs }, bits: { int: 8 }, block_size: { int: block } }
    return emitter.node('MatMulNBits', [x!, codes!, scales!], { ...sizes, accuracy_level: { int: 4 } }, microsoft)
  },
  matmulInt8: emitInt8Product,
  transpose: ({ attributes: { permutation } }, emitter, [x]) =>
    emitter.node('Transpose', [x!], { perm: { ints: permutation } }),
  reshape: ({ attributes: { shape } }, emitter, [x]) => emitter.node('Reshape', [x!, emitter.shape(shape)]),
  expand: ({ attributes: { shape } }, emitter, [x]) => emitter.node('Expand', [x!, emitter.shape(shape)]),
  slice: ({ attributes: { axis, start, size } }, emitter, [x]) => {
    const from = emitter.dim(start)
    const end =
      typeof start === 'number' && typeof size === 'number'
        ? emitter.int64s([start + size])
        : emitter.once(`end ${start} ${size}`, () => emitter.node('Add', [from, emitter.dim(size)]))
    return emitter.node('Slice', [x!, from, end, emitter.int64s([axis])])
  },
  pad: ({ attributes: { axis, before, after } }, emitter, [x]) =>
    emitter.node('Pad', [x!, emitter.shape([before, after]), '', emitter.int64s([axis])]),
  concat: ({ attributes: { axis } }, emitter, inputs) => emitter.node('Concat', [...inputs], { axis: { int: axis } }),
  // A reshape to its own shape and nothing of the signal's: it copies nothing, and the runtime cannot take it for the value itself.
  after: ({ inputs: [value] }, emitter, [x, signal]) =>
    emitter.node('Reshape', [x!, emitter.node('Add', [emitter.shape(value!.shape), emitter.nothingOf(signal!)])]),
  sum: ({ attributes: { axes, keepDims } }, emitter, [x]) =>
    emitter.node('ReduceSum', [x!, emitter.int64s(axes)], { keepdims: { int: Number(keepDims) } }),
  softmax: plain('Softmax'),
  gather: plain('Gather'),
  largest: emitLargest,
  pick: emitPick,
  draw: emitDraw,
  // ScatterElements, not ScatterND: on several threads ONNX Runtime's ScatterND loses additions to the same row.
  scatterRows: ({ attributes: { rows }, inputs: [, values] }, emitter, [indices, rowsToAdd]) => {
    const width = values!.shape.slice(1)
    const zeros = emitter.node('Expand', [emitter.floats([0]), emitter.shape([rows, ...width])])
    const column = emitter.node('Reshape', [indices!, emitter.int64s([-1, ...width.map(() => 1)])])
    const spread = emitter.node('Expand', [column, emitter.shape(values!.shape)])
    return emitter.node('ScatterElements', [zeros, spread, rowsToAdd!], {
      axis: { int: 0 },
      reduction: { string: 'add' },
    })
  },
  dropout: ({ attributes: { share, multiplier }, inputs: [value] }, emitter, [x, noise]) => {
    const width = value!.shape[1]!
    const narrow = emitter.once(`noise ${noise} ${width}`, () =>
      emitter.node('Slice', [noise!, emitter.int64s([0]), emitter.dim(width), emitter.int64s([1])]),
    )
    const mixed = emitter.node('Mul', [narrow, emitter.int32(multiplier)])
    const kept = emitter.node('GreaterOrEqual', [mixed, emitter.int32(dropoutThreshold(share))])
    return emitter.node('Where', [kept, x!, emitter.floats([0])])
  },
  rotate: (_, emitter, [x, cos, sin, positions]) => {
    const wide = emitter.once(`int64 ${positions}`, () => emitter.node('Cast', [positions!], { to: { int: 7 } }))
    return emitter.node('RotaryEmbedding', [x!, wide, cos!, sin!], {}, microsoft)
  },
  rmsNormalize: ({ attributes: { epsilon } }, emitter, [x, weight]) => {
    const attributes = { axis: { int: -1 }, epsilon: { float: epsilon } }
    const [result, inverse] = emitter.nodeWithOutputs('SimplifiedLayerNormalization', [x!, weight!], 2, attributes)
    emitter.once(`inverseRms ${x} ${epsilon}`, () => inverse!)
    return result!
  },
  inverseRms: ({ attributes: { epsilon }, inputs: [value] }, emitter, [x]) =>
    emitter.once(`inverseRms ${x} ${epsilon}`, () => {
      const square = emitter.node('Mul', [x!, x!])
      const axes = emitter.int64s([value!.shape.length - 1])
      const mean = emitter.node('ReduceMean', [square, axes], { keepdims: { int: 1 } })
      const root = emitter.node('Sqrt', [emitter.node('Add', [mean, emitter.floats([epsilon])])])
      return emitter.node('Reciprocal', [root])
    }),
  tokenLogProbability: emitLogProbability,
  tokenLogProbabilityDirection: emitDirection,
  tokenLogProbabilityHeadGradient: emitHeadGradient,
}

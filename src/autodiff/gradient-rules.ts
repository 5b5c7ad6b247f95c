// Gradient rules: for each operation, the gradients of its inputs from that of its result. The walk undoes broadcasting.
import { internal } from '../base/errors.ts'
import {
  add,
  constant,
  divide,
  dropout,
  expand,
  gather,
  inverseRms,
  matmul,
  matmulInt8,
  matmulNf4,
  multiply,
  negate,
  pad,
  reshape,
  rotate,
  scatterRows,
  sigmoid,
  slice,
  subtract,
  sum,
  tokenLogProbabilityDirection,
  tokenLogProbabilityHeadGradient,
  transpose,
} from '../graph/build.ts'
import type { Operations } from '../graph/operations.ts'
import { addDims, type Dim, subtractDims } from '../graph/shape.ts'
import type { Rules, Value } from '../graph/value.ts'

/** `needs(i)` says whether input i leads to a wanted gradient, so that a rule leaves out costly ones that nobody uses. */
type GradientRules = Rules<[upstream: Value, needs: (index: number) => boolean], readonly (Value | undefined)[]>

const leaf = () => []
const onceOnly = ({ operation }: Value) => internal(`${operation} stands in gradients only and has none of its own`)
const onlyRead = ({ operation }: Value) => internal(`${operation} is for reading a model: it has no gradient`)
const numeric = (dim: Dim): number => (typeof dim === 'number' ? dim : internal(`a gradient along the axis '${dim}'`))

export const gradientRules: GradientRules = {
  input: leaf,
  parameter: leaf,
  constant: leaf,
  add: (_, g) => [g, g],
  subtract: (_, g, needs) => [g, needs(1) ? negate(g) : undefined],
  multiply: ({ inputs: [a, b] }, g, needs) => [
    needs(0) ? multiply(g, b!) : undefined,
    needs(1) ? multiply(g, a!) : undefined,
  ],
  divide: (y, g, needs) => {
    const overB = divide(g, y.inputs[1]!)
    return [overB, needs(1) ? negate(multiply(overB, y)) : undefined]
  },
  negate: (_, g) => [negate(g)],
  exp: (y, g) => [multiply(g, y)],
  log: ({ inputs: [x] }, g) => [divide(g, x!)],
  sqrt: (y, g) => [divide(multiply(g, constant(0.5)), y)],
  sigmoid: (y, g) => [multiply(g, multiply(y, subtract(constant(1), y)))],
  // with s = sigmoid(x): dy/dx = s + x s (1 - s) = s + y - y s
  silu: (y, g) => {
    const s = sigmoid(y.inputs[0]!)
    return [multiply(g, add(s, subtract(y, multiply(y, s))))]
  },
  softplus: ({ inputs: [x] }, g) => [multiply(g, sigmoid(x!))],
  softmax: (y, g) => [multiply(y, subtract(g, weightedMean(y, g)))],
  // C = s op(A) op(B): op(A)'s gradient is s dC op(B)ᵀ, turned once more where A is; B's likewise.
  matmul: ({ attributes: { transposeA, transposeB, scale }, inputs: [a, b] }, g, needs) => [
    !needs(0)
      ? undefined
      : transposeA
        ? matmul(b!, g, { transposeA: transposeB, transposeB: true, scale })
        : matmul(g, b!, { transposeB: !transposeB, scale }),
    !needs(1)
      ? undefined
      : transposeB
        ? matmul(g, a!, { transposeA: true, transposeB: transposeA, scale })
        : matmul(a!, g, { transposeA: !transposeA, scale }),
  ],
  // The weight is frozen: it has no gradient.
  matmulNf4: ({ attributes, inputs: [, codes, scales] }, g) => [
    matmulNf4(g, codes!, scales!, { ...attributes, backward: !attributes.backward }),
  ],
  matmulBlocks: onlyRead,
  matmulInt8: ({ attributes: { backward }, inputs: [, codes, transposed, scales] }, g) => [
    matmulInt8(g, { codes: codes!, transposed: transposed!, scales: scales! }, { backward: !backward }),
  ],
  transpose: ({ attributes: { permutation } }, g) => [
    transpose(
      g,
      permutation.map((_, axis) => permutation.indexOf(axis)),
    ),
  ],
  reshape: ({ inputs: [x] }, g) => [reshape(g, x!.shape)],
  expand: (_, g) => [g],
  slice: ({ attributes: { axis, start, size }, inputs: [x] }, g) => {
    return [pad(g, axis, start, subtractDims(x!.shape[axis]!, addDims(start, size)))]
  },
  pad: ({ attributes: { axis, before }, inputs: [x] }, g) => [slice(g, axis, before, x!.shape[axis]!)],
  concat: ({ attributes: { axis }, inputs }, g) => {
    let start: Dim = 0
    return inputs.map(({ shape }) => {
      const part = slice(g, axis, start, shape[axis]!)
      start = addDims(start, shape[axis]!)
      return part
    })
  },
  after: onceOnly,
  sum: ({ attributes: { axes }, inputs: [x] }, g) => {
    const kept = x!.shape.map((dim, axis) => (axes.includes(axis) ? 1 : dim))
    return [expand(reshape(g, kept), x!.shape)]
  },
  gather: ({ inputs: [table, indices] }, g) => [scatterRows(indices!, g, table!.shape[0]!)],
  largest: onlyRead,
  pick: onlyRead,
  draw: onlyRead,
  scatterRows: ({ inputs: [indices] }, g) => [undefined, gather(g, indices!)],
  dropout: ({ attributes: { share, multiplier }, inputs: [, noise] }, g) => [dropout(g, noise!, share, multiplier)],
  // The inverse of a rotation is the rotation the other way.
  rotate: ({ inputs: [, cos, sin, positions] }, g) => [rotate(g, cos!, negate(sin!), positions!)],
  // y = x r w with r = inverseRms(x): dx = r (g w - x r mean(g w x r)), dw = g x r
  rmsNormalize: ({ attributes: { epsilon }, inputs: [x, weight] }, g, needs) => {
    const r = inverseRms(x!, epsilon)
    const normalised = multiply(x!, r)
    const last = x!.shape.length - 1
    const scaled = multiply(g, weight!)
    const mean = multiply(sum(multiply(scaled, normalised), [last], true), constant(1 / numeric(x!.shape[last]!)))
    return [
      needs(0) ? multiply(r, subtract(scaled, multiply(normalised, mean))) : undefined,
      needs(1) ? multiply(g, normalised) : undefined,
    ]
  },
  inverseRms: onceOnly,
  tokenLogProbability: ({ attributes: { chunk }, inputs: [hidden, head, targets] }, g, needs) => [
    needs(0)
      ? multiply(reshape(g, [g.shape[0]!, 1]), tokenLogProbabilityDirection(hidden!, head!, targets!, chunk))
      : undefined,
    needs(1) ? tokenLogProbabilityHeadGradient(hidden!, head!, targets!, g, chunk) : undefined,
  ],
  tokenLogProbabilityDirection: onceOnly,
  tokenLogProbabilityHeadGradient: onceOnly,
}

/**
 * Sum of y x g over the last axis, kept as size 1. In attention g = u·vᵀ, and the sum is that of u x (y·v): y·v is what the forward
 * pass computed, and far smaller than g (Dao et al. 2022, appendix B.2).
 */
function weightedMean(y: Value, g: Value): Value {
  const last = y.shape.length - 1
  const { transposeA, transposeB, scale } = g.attributes as Operations['matmul']
  if (g.operation !== 'matmul' || transposeA || !transposeB || scale !== 1) return sum(multiply(g, y), [last], true)
  return sum(multiply(g.inputs[0]!, matmul(y, g.inputs[1]!)), [last], true)
}

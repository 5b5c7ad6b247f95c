// Shape rules: what shape each operation gives, and what it refuses.
import { internal } from '../base/errors.ts'
import type { DType, Operation, Operations } from './operations.ts'
import { addDims, broadcastShapes, type Dim, equalShapes, formatShape, multiplyDims, type Shape } from './shape.ts'
import type { Value } from './value.ts'

type ShapeRules = { readonly [O in Operation]: (attributes: Operations[O], inputs: readonly Value[]) => Shape }

const elementwise = (_: object, inputs: readonly Value[]): Shape =>
  inputs.map((input) => input.shape).reduce(broadcastShapes)
const given = (): Shape => internal('inputs and parameters carry their own shape')

const shapeRules: ShapeRules = {
  input: given,
  parameter: given,
  constant: () => [],
  add: elementwise,
  subtract: elementwise,
  multiply: elementwise,
  divide: elementwise,
  negate: elementwise,
  exp: elementwise,
  log: elementwise,
  sqrt: elementwise,
  sigmoid: elementwise,
  silu: elementwise,
  softplus: elementwise,
  softmax: elementwise,
  matmul({ transposeA, transposeB }, [a, b]) {
    const [m, k] = lastTwo(a!, transposeA)
    const [k2, n] = lastTwo(b!, transposeB)
    if (k !== k2) internal(`matmul of ${formatShape(a!.shape)} and ${formatShape(b!.shape)}: inner sizes ${k}, ${k2}`)
    return [...broadcastShapes(a!.shape.slice(0, -2), b!.shape.slice(0, -2)), m, n]
  },
  matmulNf4({ outputs, inputs, backward }, [x, codes, scales]) {
    const [n, k] = x!.shape
    const size = outputs * inputs
    const fits = codes!.shape[0] === size / 2 && scales!.shape[0] === size / nf4Block
    if (x!.shape.length !== 2 || k !== (backward ? outputs : inputs) || !fits) {
      const shapes = [x!, codes!, scales!].map(({ shape }) => formatShape(shape)).join(', ')
      internal(`matmulNf4 of ${shapes} with a weight [${outputs}, ${inputs}]`)
    }
    return [n!, backward ? inputs : outputs]
  },
  matmulBlocks({ inputs }, [x, codes, scales]) {
    const [n, k] = x!.shape
    const [outputs, blocks, block] = codes!.shape as [number, number, number]
    const fits = blocks === Math.ceil(inputs / block) && equalShapes(scales!.shape, [outputs, blocks])
    if (x!.shape.length !== 2 || k !== inputs || !fits) {
      const shapes = [x!, codes!, scales!].map(({ shape }) => formatShape(shape)).join(', ')
      internal(`matmulBlocks of ${shapes} with ${inputs} inputs`)
    }
    return [n!, outputs]
  },
  matmulInt8({ backward }, [x, codes, transposed, scales]) {
    const [n, k] = x!.shape
    const [outputs, inputs] = codes!.shape as [Dim, Dim]
    const fits = equalShapes(transposed!.shape, [inputs, outputs]) && equalShapes(scales!.shape, [outputs])
    if (x!.shape.length !== 2 || k !== (backward ? outputs : inputs) || !fits) {
      const shapes = [x!, codes!, transposed!, scales!].map(({ shape }) => formatShape(shape)).join(', ')
      internal(`matmulInt8 of ${shapes}`)
    }
    return [n!, backward ? inputs : outputs]
  },
  transpose({ permutation }, [x]) {
    const sorted = [...permutation].sort((a, b) => a - b)
    if (sorted.length !== x!.shape.length || sorted.some((axis, i) => axis !== i)) {
      internal(`permutation ${permutation.join()} of a value of shape ${formatShape(x!.shape)}`)
    }
    return permutation.map((axis) => x!.shape[axis]!)
  },
  reshape({ shape }, [x]) {
    if (multiplyDims(...shape) !== multiplyDims(...x!.shape)) {
      internal(`reshape of ${formatShape(x!.shape)} to ${formatShape(shape)} changes the number of elements`)
    }
    return shape
  },
  expand({ shape }, [x]) {
    if (!equalShapes(broadcastShapes(x!.shape, shape), shape)) {
      internal(`expand of ${formatShape(x!.shape)} to ${formatShape(shape)}`)
    }
    return shape
  },
  slice({ axis, start, size }, [x]) {
    const whole = x!.shape[axis]
    if (typeof whole === 'number' && typeof start === 'number' && typeof size === 'number' && start + size > whole) {
      internal(`slice of ${size} from ${start} along axis ${axis} of ${formatShape(x!.shape)}`)
    }
    return replaceDim(x!.shape, axis, size)
  },
  pad: ({ axis, before, after }, [x]) => replaceDim(x!.shape, axis, addDims(x!.shape[axis]!, before, after)),
  concat({ axis }, inputs) {
    const [first] = inputs
    for (const { shape } of inputs) {
      if (!equalShapes(replaceDim(shape, axis, 0), replaceDim(first!.shape, axis, 0))) {
        internal(`concat of ${inputs.map((input) => formatShape(input.shape)).join(' and ')} along axis ${axis}`)
      }
    }
    return replaceDim(first!.shape, axis, addDims(...inputs.map(({ shape }) => shape[axis]!)))
  },
  after: (_, [x]) => x!.shape,
  sum({ axes, keepDims }, [x]) {
    if (keepDims) return x!.shape.map((dim, axis) => (axes.includes(axis) ? 1 : dim))
    return x!.shape.filter((_, axis) => !axes.includes(axis))
  },
  gather(_, [table, indices]) {
    if (indices!.shape.length !== 1) internal(`gather by indices of shape ${formatShape(indices!.shape)}, not [N]`)
    return [indices!.shape[0]!, ...table!.shape.slice(1)]
  },
  largest: (_, inputs) => oneEach('largest', inputs),
  pick: (_, inputs) => oneEach('pick', inputs),
  draw: (_, inputs) => oneEach('draw', inputs),
  scatterRows({ rows }, [indices, values]) {
    if (!equalShapes(indices!.shape, values!.shape.slice(0, 1))) {
      internal(`scatterRows of ${formatShape(values!.shape)} at ${formatShape(indices!.shape)}`)
    }
    return [rows, ...values!.shape.slice(1)]
  },
  dropout(_, [x, noise]) {
    const [rows, width] = x!.shape
    if (x!.shape.length !== 2 || noise!.shape[0] !== rows || Number(width) > Number(noise!.shape[1])) {
      internal(`dropout of ${formatShape(x!.shape)} by noise ${formatShape(noise!.shape)}`)
    }
    return x!.shape
  },
  rotate(_, [x, cos, sin, positions]) {
    const [rows, , tokens, width] = x!.shape
    const half = typeof width === 'number' ? width / 2 : internal('rotate: the head width must be a number')
    if (cos!.shape[1] !== half || sin!.shape[1] !== half || !equalShapes(positions!.shape, [rows!, tokens!])) {
      const tables = `${formatShape(cos!.shape)}, ${formatShape(sin!.shape)}`
      internal(`rotate of ${formatShape(x!.shape)} with tables ${tables} at ${formatShape(positions!.shape)}`)
    }
    return x!.shape
  },
  rmsNormalize(_, [x, weight]) {
    if (!equalShapes(weight!.shape, x!.shape.slice(-1))) {
      internal(`rmsNormalize of ${formatShape(x!.shape)} with a weight of ${formatShape(weight!.shape)}`)
    }
    return x!.shape
  },
  inverseRms: (_, [x]) => replaceDim(x!.shape, x!.shape.length - 1, 1),
  tokenLogProbability(attributes, inputs) {
    checkHead(attributes, inputs)
    return inputs[2]!.shape
  },
  tokenLogProbabilityDirection(attributes, inputs) {
    checkHead(attributes, inputs)
    return inputs[0]!.shape
  },
  tokenLogProbabilityHeadGradient(attributes, inputs) {
    checkHead(attributes, inputs)
    if (!equalShapes(inputs[3]!.shape, inputs[2]!.shape)) internal('one weight a target is needed')
    return inputs[1]!.shape
  },
}

/** [N] of rows [N, V] and, where there is a second input, one entry of it a row. */
function oneEach(operation: Operation, [x, other]: readonly Value[]): Shape {
  const rows = x!.shape.slice(0, 1)
  if (x!.shape.length !== 2 || typeof x!.shape[1] !== 'number' || (other && !equalShapes(other.shape, rows))) {
    internal(`${operation} of ${[x, other].map((value) => value && formatShape(value.shape)).join(' and ')}`)
  }
  return rows
}

function replaceDim(shape: Shape, axis: number, dim: Dim): Shape {
  return shape.map((old, i) => (i === axis ? dim : old))
}

function lastTwo(value: Value, transposed: boolean): [Dim, Dim] {
  const [a, b] = value.shape.slice(-2)
  if (a === undefined || b === undefined) return internal(`matmul of a value of shape ${formatShape(value.shape)}`)
  return transposed ? [b, a] : [a, b]
}

function checkHead({ chunk }: { chunk: number }, [hidden, head, targets]: readonly Value[]): void {
  const [n, width] = hidden!.shape
  const fits = equalShapes(targets!.shape, [n!]) && head!.shape[1] === width
  if (!fits || (chunk > 0 && typeof n === 'number' && n % Math.ceil(n / chunk) !== 0)) {
    const shapes = [hidden!, head!, targets!].map(({ shape }) => formatShape(shape)).join(', ')
    internal(`hidden, head and targets of shapes ${shapes} in chunks of ${chunk}`)
  }
}

/** Weights a scale in NF4. */
const nf4Block = 64

/** Which inputs of an operation hold int32 or bytes; all others hold float32. */
const otherInputs: { readonly [O in Operation]?: { at: readonly number[]; dtype: DType } } = {
  matmulNf4: { at: [1], dtype: 'uint8' },
  matmulBlocks: { at: [1], dtype: 'uint8' },
  matmulInt8: { at: [1, 2], dtype: 'int8' },
  gather: { at: [1], dtype: 'int32' },
  pick: { at: [1], dtype: 'int32' },
  scatterRows: { at: [0], dtype: 'int32' },
  dropout: { at: [1], dtype: 'int32' },
  rotate: { at: [3], dtype: 'int32' },
  tokenLogProbability: { at: [2], dtype: 'int32' },
  tokenLogProbabilityDirection: { at: [2], dtype: 'int32' },
  tokenLogProbabilityHeadGradient: { at: [2], dtype: 'int32' },
}

/** The shape of an operation's result; inputs that do not fit are an internal error. */
export function inferShape<O extends Operation>(
  operation: O,
  attributes: Operations[O],
  inputs: readonly Value[],
): Shape {
  inputs.forEach((input, i) => {
    const other = otherInputs[operation]
    const expected = other?.at.includes(i) ? other.dtype : 'float32'
    if (input.dtype !== expected) internal(`input ${i} of ${operation} is ${input.dtype}, not ${expected}`)
  })
  return shapeRules[operation](attributes, inputs)
}

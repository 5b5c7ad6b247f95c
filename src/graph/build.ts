// Builders: one function an operation. They check shapes and types at once, where the mistake is made.
import type { DType, Operation, Operations } from './operations.ts'
import type { Dim, Shape } from './shape.ts'
import { inferShape } from './shapes.ts'
import type { Value } from './value.ts'

let nextId = 0

function create<O extends Operation>(
  operation: O,
  attributes: Operations[O],
  inputs: readonly Value[],
  shape: Shape = inferShape(operation, attributes, inputs),
  dtype: DType = 'float32',
): Value {
  return { id: nextId++, operation, attributes, inputs, shape, dtype }
}

export function input(name: string, shape: Shape, dtype: DType = 'float32'): Value {
  return create('input', { name }, [], shape, dtype)
}
export function parameter(name: string, shape: Shape, dtype: DType = 'float32'): Value {
  return create('parameter', { name }, [], shape, dtype)
}
export function constant(value: number): Value {
  return create('constant', { value }, [])
}

export const add = (a: Value, b: Value): Value => create('add', {}, [a, b])
export const subtract = (a: Value, b: Value): Value => create('subtract', {}, [a, b])
export const multiply = (a: Value, b: Value): Value => create('multiply', {}, [a, b])
export const divide = (a: Value, b: Value): Value => create('divide', {}, [a, b])
export const negate = (x: Value): Value => create('negate', {}, [x])
export const exp = (x: Value): Value => create('exp', {}, [x])
export const log = (x: Value): Value => create('log', {}, [x])
export const sqrt = (x: Value): Value => create('sqrt', {}, [x])
export const sigmoid = (x: Value): Value => create('sigmoid', {}, [x])
export const silu = (x: Value): Value => create('silu', {}, [x])
export const softplus = (x: Value): Value => create('softplus', {}, [x])
export const softmax = (x: Value): Value => create('softmax', {}, [x])

export function matmul(a: Value, b: Value, options: Partial<Operations['matmul']> = {}): Value {
  const { transposeA = false, transposeB = false, scale = 1 } = options
  return create('matmul', { transposeA, transposeB, scale }, [a, b])
}
export const matmulNf4 = (x: Value, codes: Value, scales: Value, attributes: Operations['matmulNf4']): Value =>
  create('matmulNf4', attributes, [x, codes, scales])
export const matmulBlocks = (x: Value, codes: Value, scales: Value, attributes: Operations['matmulBlocks']): Value =>
  create('matmulBlocks', attributes, [x, codes, scales])
/** A frozen weight of 8-bit integers: int8 codes [outputs, inputs], the same transposed, and a scale an output [outputs]. */
export interface Int8Weight {
  codes: Value
  transposed: Value
  scales: Value
}
export const matmulInt8 = (
  x: Value,
  { codes, transposed, scales }: Int8Weight,
  attributes: Operations['matmulInt8'] = { backward: false },
): Value => create('matmulInt8', attributes, [x, codes, transposed, scales])
export const transpose = (x: Value, permutation: readonly number[]): Value => create('transpose', { permutation }, [x])
export const reshape = (x: Value, shape: Shape): Value => create('reshape', { shape }, [x])
export const expand = (x: Value, shape: Shape): Value => create('expand', { shape }, [x])
export const slice = (x: Value, axis: number, start: Dim, size: Dim): Value =>
  create('slice', { axis, start, size }, [x])
export const pad = (x: Value, axis: number, before: Dim, after: Dim): Value =>
  create('pad', { axis, before, after }, [x])
export const concat = (values: readonly Value[], axis: number): Value => create('concat', { axis }, values)
export const after = (x: Value, signal: Value): Value => create('after', {}, [x, signal])
/** The same operation on other inputs of the same shapes. */
export const rebuild = ({ operation, attributes, shape, dtype }: Value, inputs: readonly Value[]): Value =>
  create(operation, attributes, inputs, shape, dtype)
/** Over all axes, down to a scalar, unless told otherwise. */
export const sum = (x: Value, axes: readonly number[] = x.shape.map((_, axis) => axis), keepDims = false): Value =>
  create('sum', { axes, keepDims }, [x])

export const gather = (table: Value, indices: Value): Value => create('gather', {}, [table, indices])
export const largest = (x: Value): Value => create('largest', {}, [x], undefined, 'int32')
export const pick = (x: Value, places: Value): Value => create('pick', {}, [x, places])
export const draw = (x: Value, shares: Value): Value => create('draw', {}, [x, shares], undefined, 'int32')
export const scatterRows = (indices: Value, values: Value, rows: Dim): Value =>
  create('scatterRows', { rows }, [indices, values])

export const dropout = (x: Value, noise: Value, share: number, multiplier: number): Value =>
  create('dropout', { share, multiplier }, [x, noise])

export const rotate = (x: Value, cos: Value, sin: Value, positions: Value): Value =>
  create('rotate', {}, [x, cos, sin, positions])
export const rmsNormalize = (x: Value, weight: Value, epsilon: number): Value =>
  create('rmsNormalize', { epsilon }, [x, weight])
export const inverseRms = (x: Value, epsilon: number): Value => create('inverseRms', { epsilon }, [x])

export const tokenLogProbability = (hidden: Value, head: Value, targets: Value, chunk = 0): Value =>
  create('tokenLogProbability', { chunk }, [hidden, head, targets])
export const tokenLogProbabilityDirection = (hidden: Value, head: Value, targets: Value, chunk: number): Value =>
  create('tokenLogProbabilityDirection', { chunk }, [hidden, head, targets])
export const tokenLogProbabilityHeadGradient = (
  hidden: Value,
  head: Value,
  targets: Value,
  weights: Value,
  chunk: number,
): Value => create('tokenLogProbabilityHeadGradient', { chunk }, [hidden, head, targets, weights])

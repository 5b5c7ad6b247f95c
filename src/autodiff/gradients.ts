// Reverse mode: walks a graph backwards and builds, as an ordinary graph, the gradients of a scalar.
import { internal } from '../base/errors.ts'
import { add, concat, constant, reshape, sum } from '../graph/build.ts'
import { addDims, type Dim, equalShapes, formatShape, type Shape } from '../graph/shape.ts'
import { ruleFor, sortValues, type Value } from '../graph/value.ts'
import { gradientRules } from './gradient-rules.ts'
import { Recomputation, type Recomputing } from './recomputation.ts'

/**
 * The gradients of `loss` (a scalar) with respect to each of `targets`, in their shapes.
 * A target may be any value, not only an input: what lies before it is not differentiated unless another target does.
 * A target that the loss does not depend on is an internal error.
 * @param recomputing which forward values are computed again on the way back instead of staying in memory: the gradients' bits are the same.
 */
export function gradients(loss: Value, targets: readonly Value[], recomputing: Recomputing = {}): Value[] {
  if (loss.shape.length !== 0) internal(`the loss has shape ${formatShape(loss.shape)}, not that of a scalar`)
  return pullBack(loss, constant(1), targets, recomputing)
}

/** The same for a value of any shape, given the gradient of some loss with respect to it, in its shape. */
export function pullBack(
  from: Value,
  upstreamGradient: Value,
  targets: readonly Value[],
  recomputing: Recomputing = {},
): Value[] {
  if (!equalShapes(from.shape, upstreamGradient.shape)) {
    internal(
      `a gradient of shape ${formatShape(upstreamGradient.shape)} for a value of shape ${formatShape(from.shape)}`,
    )
  }
  const values = sortValues([from])
  const active = new Set<Value>(targets)
  for (const value of values) if (value.inputs.some((from) => active.has(from))) active.add(value)

  const recomputation = new Recomputation(recomputing)
  const found = new Map<Value, Value[]>([[from, [upstreamGradient]]])
  const sums = new Map<Value, Value>()
  for (const value of values.reverse()) {
    const parts = found.get(value)
    if (parts === undefined) continue
    const upstream = addUp(parts)
    sums.set(value, upstream)
    if (!value.inputs.some((from) => active.has(from))) continue
    const local = recomputation.locate(value, upstream)
    const flowing = ruleFor(gradientRules, local)(local, upstream, (index) => active.has(value.inputs[index]!))
    value.inputs.forEach((from, index) => {
      const gradient = flowing[index]
      if (gradient === undefined || !active.has(from)) return
      const fitted = undoBroadcast(gradient, from.shape)
      found.set(from, [...(found.get(from) ?? []), fitted])
    })
  }
  return targets.map(
    (target) => sums.get(target) ?? internal(`the loss does not depend on a wanted ${target.operation}`),
  )
}

/** The sum of what flows back from each use of a value; where the uses were slices that lie side by side, their concatenation. */
function addUp(parts: readonly Value[]): Value {
  const tiles = parts.filter((part): part is Value<'pad'> => part.operation === 'pad').reverse()
  if (parts.length === 1 || tiles.length < parts.length) return parts.reduce((a, b) => add(a, b))
  const { axis } = tiles[0]!.attributes
  let end: Dim = 0
  const lieSideBySide = tiles.every(({ attributes, inputs }) => {
    const fits = attributes.axis === axis && attributes.before === end
    end = addDims(end, inputs[0]!.shape[axis]!)
    return fits
  })
  if (!lieSideBySide || tiles.at(-1)?.attributes.after !== 0) return parts.reduce((a, b) => add(a, b))
  return concat(
    tiles.map(({ inputs }) => inputs[0]!),
    axis,
  )
}

/** Sums a gradient over the axes along which its value was broadcast. */
function undoBroadcast(gradient: Value, shape: Shape): Value {
  const extra = gradient.shape.length - shape.length
  const stretched = gradient.shape.flatMap((dim, axis) =>
    axis < extra || (shape[axis - extra] === 1 && dim !== 1) ? [axis] : [],
  )
  let result = stretched.length === 0 ? gradient : sum(gradient, stretched, true)
  if (extra > 0) result = reshape(result, shape)
  if (!equalShapes(result.shape, shape)) {
    internal(`a gradient of shape ${formatShape(gradient.shape)} for a value of shape ${formatShape(shape)}`)
  }
  return result
}

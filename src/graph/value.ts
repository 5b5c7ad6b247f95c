// Values: the nodes of a graph. A graph is just the values that its outputs reach.
import type { DType, Operation, Operations } from './operations.ts'
import type { Shape } from './shape.ts'

export interface Value<O extends Operation = Operation> {
  /** Rises in the order of building, so sorting by id is a topological order. */
  readonly id: number
  readonly operation: O
  readonly attributes: Operations[O]
  readonly inputs: readonly Value[]
  readonly shape: Shape
  readonly dtype: DType
}

/** A table with one rule an operation. */
export type Rules<Rest extends unknown[], Result> = {
  readonly [O in Operation]: (value: Value<O>, ...rest: Rest) => Result
}

/** The table's rule for a value. The cast is sound: the key is the value's own operation. */
export function ruleFor<Rest extends unknown[], Result>(
  rules: Rules<Rest, Result>,
  value: Value,
): (value: Value, ...rest: Rest) => Result {
  return rules[value.operation] as (value: Value, ...rest: Rest) => Result
}

/** All values that the outputs depend on, inputs first. */
export function sortValues(outputs: Iterable<Value>): Value[] {
  const seen = new Set<Value>()
  const open = [...outputs]
  for (let value = open.pop(); value !== undefined; value = open.pop()) {
    if (seen.has(value)) continue
    seen.add(value)
    open.push(...value.inputs)
  }
  return [...seen].sort((a, b) => a.id - b.id)
}

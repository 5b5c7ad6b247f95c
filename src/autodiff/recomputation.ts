// Recomputing: the backward pass reads copies of forward values that are computed again when their turn comes, so that the
// values themselves need not stay in memory: all between those that are kept (Chen et al. 2016), or those that are quick to compute.
import { after, rebuild } from '../graph/build.ts'
import type { Operation } from '../graph/operations.ts'
import type { Value } from '../graph/value.ts'

/** What is computed again on the way back. With nothing said, everything stays in memory. */
export interface Recomputing {
  /** Values of one shape, one after another on the way to the loss, that stay in memory; between two of them lies a segment. */
  kept?: readonly Value[]
  /** Values outside of segments that are computed again, each by itself. */
  quick?: ReadonlySet<Value>
}

/** Operations whose gradient rules read the result itself, not only the inputs. */
const readsResult: readonly Operation[] = ['divide', 'exp', 'sqrt', 'sigmoid', 'silu', 'softmax']

export class Recomputation {
  private readonly kept: ReadonlySet<Value>
  private readonly quick: ReadonlySet<Value>
  private readonly quickCopies = new Map<Value, Value>()
  /** Copies of the segment that the walk is in; undefined behind the last kept value. */
  private copies: Map<Value, Value> | undefined
  private signal: Value | undefined

  constructor({ kept = [], quick = new Set() }: Recomputing) {
    this.kept = new Set(kept)
    this.quick = quick
  }

  /** The forward value as a gradient rule may read it, on copied inputs. `upstream` is its own gradient. */
  locate(value: Value, upstream: Value): Value {
    if (this.kept.has(value)) {
      this.copies = new Map()
      this.signal = upstream
      return this.copyOnInputs(value)
    }
    if (this.copies !== undefined) return this.copy(value)
    if (this.quick.has(value) && readsResult.includes(value.operation)) return this.copyQuick(value, upstream)
    return this.rebuildOn(value, (input) => (this.quick.has(input) ? this.copyQuick(input, upstream) : input))
  }

  private copy(value: Value): Value {
    if (this.copies === undefined || this.signal === undefined) return value
    const known = this.copies.get(value)
    if (known !== undefined) return known
    const copied = this.kept.has(value) ? after(value, this.signal) : this.copyOnInputs(value)
    this.copies.set(value, copied)
    return copied
  }

  private copyOnInputs(value: Value): Value {
    return this.rebuildOn(value, (input) => this.copy(input))
  }

  /** A copy for the first that reads it on the way back, which all that follow share. */
  private copyQuick(value: Value, signal: Value): Value {
    const known = this.quickCopies.get(value)
    if (known !== undefined) return known
    const copied = this.rebuildOn(value, (input) => {
      if (this.quick.has(input)) return this.copyQuick(input, signal)
      return input.operation === 'parameter' || input.operation === 'input' ? input : after(input, signal)
    })
    this.quickCopies.set(value, copied)
    return copied
  }

  private rebuildOn(value: Value, replace: (input: Value) => Value): Value {
    const inputs = value.inputs.map(replace)
    return inputs.every((input, i) => input === value.inputs[i]) ? value : rebuild(value, inputs)
  }
}

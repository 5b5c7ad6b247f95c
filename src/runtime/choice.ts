// Choosing a token from each row in ONNX, so that whole rows of a large vocabulary need not leave the runtime.
import type { Value } from '../graph/value.ts'
import type { Emitter } from './emitter.ts'

/** The largest float32 below 1. */
const belowOne = 1 - 2 ** -24

/** The first place of the largest number of each row [N, V] -> int32 [N]. */
export function emitLargest(_: Value<'largest'>, emitter: Emitter, [x]: readonly string[]): string {
  return asInt32(emitter, emitter.node('ArgMax', [x!], { axis: { int: 1 }, keepdims: { int: 0 } }))
}

/** The entry of each row [N, V] at its own place, int32 [N] -> [N]. */
export function emitPick(_: Value<'pick'>, emitter: Emitter, [x, places]: readonly string[]): string {
  const column = emitter.node('Reshape', [places!, emitter.int64s([-1, 1])])
  const picked = emitter.node('GatherElements', [x!, column], { axis: { int: 1 } })
  return emitter.node('Reshape', [picked, emitter.int64s([-1])])
}

/**
 * Where the running sum of each row [N, V] first exceeds the row's total times its share in [0, 1), [N] -> int32 [N].
 * Found in two steps, the block and then the place in it, so that only block sums are added up one after another.
 */
export function emitDraw(value: Value<'draw'>, emitter: Emitter, inputs: readonly string[]): string {
  const [x, shares] = inputs as [string, string]
  const size = value.inputs[0]!.shape[1] as number
  const width = largestDivisor(size)
  const blocks = emitter.node('Reshape', [x, emitter.int64s([-1, size / width, width])])
  const sums = emitter.node('ReduceSum', [blocks, emitter.int64s([2])], { keepdims: { int: 0 } })
  const share = emitter.node('Reshape', [shares, emitter.int64s([-1, 1])])
  const block = findCrossing(emitter, sums, (total) => emitter.node('Mul', [share, total]))
  const chosen = emitter.node('GatherND', [blocks, block.place], { batch_dims: { int: 1 } })
  const inside = findCrossing(emitter, chosen, () => emitter.node('Sub', [block.target, block.before]))
  const start = emitter.node('Mul', [block.place, emitter.int64s([width])])
  return asInt32(emitter, emitter.node('Reshape', [emitter.node('Add', [start, inside.place]), emitter.int64s([-1])]))
}

/**
 * Of rows [N, n]: the first place whose running sum exceeds the target, and the running sum before it, all [N, 1].
 * The target is held below the row's total, so that there is such a place and its entry is above 0.
 */
function findCrossing(emitter: Emitter, rows: string, targetOf: (total: string) => string) {
  const upTo = emitter.node('CumSum', [rows, emitter.int64s([1])])
  const [from, to, axis] = [-1, Number.MAX_SAFE_INTEGER, 1].map((number) => emitter.int64s([number]))
  const total = emitter.node('Slice', [upTo, from!, to!, axis!])
  const most = emitter.node('Mul', [total, emitter.floats([belowOne])])
  const target = emitter.node('Min', [targetOf(total), most])
  const past = emitter.node('Cast', [emitter.node('LessOrEqual', [upTo, target])], { to: { int: floatType } })
  const count = emitter.node('ReduceSum', [past, axis!], { keepdims: { int: 1 } })
  // Running sums never fall, so the largest of those that are past is the last.
  const before = emitter.node('ReduceMax', [emitter.node('Mul', [past, upTo]), axis!], { keepdims: { int: 1 } })
  return { place: emitter.node('Cast', [count], { to: { int: int64Type } }), before, target }
}

/** ONNX's numbers of types. */
const [floatType, int32Type, int64Type] = [1, 6, 7]

const asInt32 = (emitter: Emitter, x: string): string => emitter.node('Cast', [x], { to: { int: int32Type } })

/** The largest divisor of `size` up to its root. */
function largestDivisor(size: number): number {
  let divisor = Math.floor(Math.sqrt(size))
  while (size % divisor !== 0) divisor--
  return divisor
}

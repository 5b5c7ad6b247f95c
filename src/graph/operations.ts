// Every operation that a graph may hold, with its attributes. Each table of rules (shapes, gradients, ONNX, printing,
// the tests' interpreter) has one row an operation, so a missing rule does not compile.
import type { Dim, Shape } from './shape.ts'

export type DType = 'float32' | 'int32' | 'uint8' | 'int8'

export interface Operations {
  /** Fed at every run: data, and weights that learn. */
  input: { name: string }
  /** A frozen weight, built into the session. */
  parameter: { name: string }
  /** A scalar. */
  constant: { value: number }

  add: object
  subtract: object
  multiply: object
  divide: object
  negate: object
  exp: object
  log: object
  sqrt: object
  sigmoid: object
  /** x * sigmoid(x) */
  silu: object
  /** log(1 + exp(x)), without overflow */
  softplus: object

  /** scale * a·b over the last two axes, each transposed first where it says so; leading axes broadcast. */
  matmul: { transposeA: boolean; transposeB: boolean; scale: number }
  /**
   * x·Wᵀ, or x·W where `backward`, of a frozen weight W [outputs, inputs] in NF4 (see formats/nf4.ts):
   * x [N, inputs] (or [N, outputs]), codes uint8 [outputs*inputs/2], scales [outputs*inputs/64].
   */
  matmulNf4: { outputs: number; inputs: number; backward: boolean }
  /**
   * x·Wᵀ of a frozen weight W [outputs, inputs] in 8-bit blocks (see formats/block-integers.ts), x rounded to 8 bits block by block
   * on the way: x [N, inputs], codes uint8 [outputs, blocks, block], scales [outputs, blocks]. For what only reads a model.
   */
  matmulBlocks: { inputs: number }
  /**
   * x·Wᵀ, or x·W where `backward`, of a frozen weight W [outputs, inputs] of 8-bit integers (see formats/int8.ts), x
   * rounded to 8 bits row by row on the way: x [N, inputs] (or [N, outputs]), int8 codes [outputs, inputs], int8 codes
   * transposed [inputs, outputs], scales [outputs]. A row of the result depends on no other row.
   */
  matmulInt8: { backward: boolean }
  transpose: { permutation: readonly number[] }
  reshape: { shape: Shape }
  /** Repeats along axes of size 1 and new leading axes: the gradient of sum. */
  expand: { shape: Shape }
  /** `size` entries from `start` along one axis; both may be symbolic. */
  slice: { axis: number; start: Dim; size: Dim }
  /** Zeros before and after along one axis: the gradient of slice. */
  pad: { axis: number; before: Dim; after: Dim }
  concat: { axis: number }
  /** The first value itself, computed from only once the second, of at least one axis, is there: what recomputing waits with. */
  after: object
  sum: { axes: readonly number[]; keepDims: boolean }
  /** Over the last axis. */
  softmax: object

  /** Rows of a table [V, ...] by int32 indices [N]. */
  gather: object
  /** The first place of the largest entry of each row [N, V] -> int32 [N]. */
  largest: object
  /** The entry of each row [N, V] at its place, int32 [N] -> [N]. */
  pick: object
  /** Where the running sum of each row [N, V], of entries >= 0, first exceeds its share [N], in [0, 1), of the whole -> int32 [N]. */
  draw: object
  /** Adds rows [N, ...] into zeros [rows, ...] at int32 indices [N]: the gradient of gather. */
  scatterRows: { rows: Dim }

  /**
   * x [N, width] with some entries 0: where noise x multiplier, wrapping around as int32, is among the lowest `share` of int32.
   * noise is int32 [N, width or wider], uniform over all bit patterns; odd multipliers give layers masks of their own from one noise.
   */
  dropout: { share: number; multiplier: number }

  /** Rotary position embedding of halves: x [rows, heads, tokens, width], cos and sin [positions, width/2], positions int32 [rows, tokens]. */
  rotate: object
  /** x / sqrt(mean(x^2) + epsilon) * weight over the last axis (Zhang and Sennrich 2019, eq. 4). */
  rmsNormalize: { epsilon: number }
  /** 1 / sqrt(mean(x^2) + epsilon) over the last axis, kept as size 1: what rmsNormalize's gradient reuses. */
  inverseRms: { epsilon: number }

  /**
   * log softmax(hidden·headᵀ) at each row's target: hidden [N, D], head [V, D], targets int32 [N] -> [N].
   * With `chunk` > 0 logits exist for at most that many rows at a time: N is divided evenly into the fewest chunks, which must leave no
   * rest; 0 takes all rows at once.
   */
  tokenLogProbability: { chunk: number }
  /** d tokenLogProbability / d hidden, row by row: [N, D]. */
  tokenLogProbabilityDirection: { chunk: number }
  /** Sum over rows of weight_n x d tokenLogProbability_n / d head, weights [N] the fourth input -> [V, D]. */
  tokenLogProbabilityHeadGradient: { chunk: number }
}

export type Operation = keyof Operations

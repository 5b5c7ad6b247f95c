// The decoder as a graph: embeddings, blocks of grouped-query attention and gated feed-forward, final norm.
// Activations are [rows*tokens, width] between layers; attention alone looks at rows, heads and tokens apart.
import {
  add,
  concat,
  gather,
  input,
  matmul,
  multiply,
  reshape,
  rmsNormalize,
  rotate,
  silu,
  slice,
  softmax,
  transpose,
} from '../graph/build.ts'
import { addDims, type Dim, multiplyDims, subtractDims } from '../graph/shape.ts'
import type { Value } from '../graph/value.ts'
import { embeddingName, headName, headNormName, rotaryNames, type Weights } from './weights.ts'

/** What a forward pass reads besides weights. */
export interface BatchInputs {
  rows: Dim
  tokens: Dim
  /** int32 [rows*tokens] */
  tokenIds: Value
  /** int32 [rows, tokens]: positions within a document, not within a row. */
  positions: Value
  /** A block each, from the first tokens on. */
  attentionBiases: BlockBias[]
}

/**
 * Added to a block's attention scores, [rows, 1, block, seen] each: 0 where a token (third axis) may see another (fourth), very
 * negative where not. A block sees the tokens up to its own last one, but for one run of them: the first `far` ones and the
 * last `near` ones. So it leaves out what lies behind it, and what none of its tokens may see: earlier documents of a packed row,
 * other responses to a shared prompt.
 */
export interface BlockBias {
  far?: Value
  near: Value
}

/** Tokens of a block of attention, except the last, which takes what is left. */
export const blockTokens = 256

/** How many blocks a row of so many tokens has. */
export const countBlocks = (tokens: number): number => Math.max(1, Math.ceil(tokens / blockTokens))

/** Input names of a block's biases. */
export const biasName = (block: number): string => (block === 0 ? 'attentionBias' : `attentionBias.${block}`)
export const farBiasName = (block: number): string => `${biasName(block)}.far`

/** The inputs of a batch under their usual names, with as many rows and tokens as there are when the graph runs. */
export function batchInputs(rows: Dim = 'rows', blocks = 1): BatchInputs {
  const last = blocks === 1 ? 'tokens' : 'lastTokens'
  const tokens = addDims(blockTokens * (blocks - 1), last)
  return {
    rows,
    tokens,
    tokenIds: input('tokenIds', [multiplyDims(rows, tokens)], 'int32'),
    positions: input('positions', [rows, tokens], 'int32'),
    attentionBiases: Array.from({ length: blocks }, (_, block): BlockBias => {
      const size = block === blocks - 1 ? last : blockTokens
      // The first block has nothing before it.
      if (block === 0) return { near: input(biasName(0), [rows, 1, size, size]) }
      return {
        far: input(farBiasName(block), [rows, 1, size, `far.${block}`]),
        near: input(biasName(block), [rows, 1, size, `near.${block}`]),
      }
    }),
  }
}

/** Rows of the embedding table: [N, width]. */
export function embed(weights: Weights, tokenIds: Value): Value {
  return gather(weights.get(embeddingName), tokenIds)
}

/** The head's weight [vocabulary, width]. */
export function headWeight(weights: Weights): Value {
  return weights.get(headName(weights.config))
}

/**
 * Hidden states after the final norm, [rows*tokens, width], from embedded tokens of the same shape; and what each layer
 * adds to, which is all that must be kept to compute the layers again.
 */
export function buildHidden(
  weights: Weights,
  embedded: Value,
  batch: BatchInputs,
): { hidden: Value; residuals: Value[] } {
  let x = embedded
  const residuals = [x]
  for (let layer = 0; layer < weights.config.layers; layer++) {
    const { queries, keys, values } = projectAttention(weights, layer, x, batch)
    const attended = attend(queries, keys, values, batch.attentionBiases)
    x = finishBlock(weights, layer, x, attended)
    residuals.push(x)
  }
  return { hidden: rmsNormalize(x, weights.get('model.norm.weight'), weights.config.normEpsilon), residuals }
}

/** A block's rotated queries [rows, heads, tokens, headWidth], rotated keys and values [rows, keyValueHeads, tokens, headWidth]. */
export function projectAttention(
  weights: Weights,
  layer: number,
  x: Value,
  { rows, tokens, positions }: Pick<BatchInputs, 'rows' | 'tokens' | 'positions'>,
): { queries: Value; keys: Value; values: Value } {
  const { heads, keyValueHeads, headWidth, headNorms, normEpsilon } = weights.config
  const normed = rmsNormalize(x, weights.get(`model.layers.${layer}.input_layernorm.weight`), normEpsilon)
  const splitHeads = (projected: Value, count: number, norm?: 'q' | 'k') => {
    const heads = reshape(projected, [rows, tokens, count, headWidth])
    const ready = headNorms && norm ? rmsNormalize(heads, weights.get(headNormName(layer, norm)), normEpsilon) : heads
    return transpose(ready, [0, 2, 1, 3])
  }
  const turn = (value: Value) => rotate(value, weights.get(rotaryNames.cos), weights.get(rotaryNames.sin), positions)
  return {
    queries: turn(splitHeads(weights.applyLinear(normed, layer, 'q_proj'), heads, 'q')),
    keys: turn(splitHeads(weights.applyLinear(normed, layer, 'k_proj'), keyValueHeads, 'k')),
    values: splitHeads(weights.applyLinear(normed, layer, 'v_proj'), keyValueHeads),
  }
}

/** softmax(queries·keysᵀ / sqrt(headWidth) + bias)·values -> [rows*tokens, heads*headWidth], block by block. */
export function attend(queries: Value, keys: Value, values: Value, biases: readonly BlockBias[]): Value {
  const [rows, heads, tokens, headWidth] = queries.shape as [Dim, number, Dim, number]
  const mixed = biases.map(({ far, near }, block) => {
    if (biases.length === 1) return attendBlock(queries, keys, values, near)
    const [, , size, seen] = near.shape as [Dim, Dim, Dim, Dim]
    const start = blockTokens * block
    const findSeen = (all: Value) => {
      const last = slice(all, 2, subtractDims(addDims(start, size), seen), seen)
      return far === undefined ? last : concat([slice(all, 2, 0, far.shape[3]!), last], 2)
    }
    const bias = far === undefined ? near : concat([far, near], 3)
    return attendBlock(slice(queries, 2, start, size), findSeen(keys), findSeen(values), bias)
  })
  const whole = mixed.length === 1 ? mixed[0]! : concat(mixed, 2)
  return reshape(transpose(whole, [0, 2, 1, 3]), [multiplyDims(rows, tokens), heads * headWidth])
}

/**
 * Attention of some tokens to some: [rows, heads, tokens, headWidth].
 * Query heads that share a key-value head form one product: [rows, keyValueHeads, group*tokens, headWidth] (Ainslie et al. 2023).
 */
function attendBlock(queries: Value, keys: Value, values: Value, bias: Value): Value {
  const [rows, heads, tokens, headWidth] = queries.shape as [Dim, number, Dim, number]
  const [, keyValueHeads, seen] = keys.shape as [Dim, number, Dim]
  const grouped = [rows, keyValueHeads, multiplyDims(heads / keyValueHeads, tokens)]
  const scores = matmul(reshape(queries, [...grouped, headWidth]), keys, {
    transposeB: true,
    scale: 1 / Math.sqrt(headWidth),
  })
  const masked = add(reshape(scores, [rows, heads, tokens, seen]), bias)
  const mixed = matmul(softmax(reshape(masked, [...grouped, seen])), values)
  return reshape(mixed, [rows, heads, tokens, headWidth])
}

/** The rest of a block after attention: output projection, residual, gated feed-forward (Shazeer 2020), residual. */
export function finishBlock(weights: Weights, layer: number, x: Value, attended: Value): Value {
  const afterAttention = add(x, weights.applyLinear(attended, layer, 'o_proj'))
  const norm = weights.get(`model.layers.${layer}.post_attention_layernorm.weight`)
  const normed = rmsNormalize(afterAttention, norm, weights.config.normEpsilon)
  const gate = silu(weights.applyLinear(normed, layer, 'gate_proj'))
  const gated = multiply(gate, weights.applyLinear(normed, layer, 'up_proj'))
  return add(afterAttention, weights.applyLinear(gated, layer, 'down_proj'))
}

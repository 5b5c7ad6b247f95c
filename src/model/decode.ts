// One step of decoding as a graph: new tokens of many sequences that look back at cached keys and values.
//
// Rows are `prompts` x `samples`: the samples of one prompt stand next to each other. A row sees three stretches of keys:
// its prompt's (`prefix`, kept once a prompt: attention over it is one product for all samples of the prompt), its own
// (`tail`), and the new tokens' (`tokens`, causal). One softmax joins the three. Both caches are padded; masked by a bias.
// The same graph computes prompts: one sample a prompt, many new tokens, an empty tail.
import {
  add,
  concat,
  draw,
  gather,
  input,
  largest,
  matmul,
  multiply,
  pick,
  reshape,
  rmsNormalize,
  slice,
  softmax,
  transpose,
} from '../graph/build.ts'
import { addDims, type Dim, multiplyDims } from '../graph/shape.ts'
import type { Value } from '../graph/value.ts'
import { embed, finishBlock, projectAttention } from './forward.ts'
import type { Weights } from './weights.ts'

/** Names of one layer's caches among the inputs, and of its new keys and values among the outputs. */
export const cacheNames = (layer: number) => ({
  prefixKeys: `layer.${layer}.prefixKeys`,
  prefixValues: `layer.${layer}.prefixValues`,
  tailKeys: `layer.${layer}.tailKeys`,
  tailValues: `layer.${layer}.tailValues`,
  newKeys: `layer.${layer}.newKeys`,
  newValues: `layer.${layer}.newValues`,
})

const rows = multiplyDims('prompts', 'samples')

/**
 * What the graph says of a token's successor: the likeliest; one drawn from the whole vocabulary; probabilities, for a draw
 * among the likeliest; or logits.
 */
export type Choice = 'largest' | 'drawn' | 'probabilities' | 'logits'

/**
 * The graph's outputs. Inputs, apart from weights (R = prompts*samples):
 * tokenIds int32 [R*tokens], positions int32 [R, tokens], tokenBias [tokens, tokens] (causal),
 * prefixBias [prompts, 1, 1, prefix], tailBias [prompts, samples, 1, tail] (0 where a key is seen, -Infinity where not),
 * each layer's prefix [prompts, keyValueHeads, prefix, headWidth] and tail [R, keyValueHeads, tail, headWidth],
 * picks int32 [picked]: the tokens, counted over R*tokens, whose successors are asked for, and those of `buildSuccessors`.
 * Outputs: each layer's new keys and values [R, keyValueHeads, tokens, headWidth], and those of `buildSuccessors`.
 */
export function buildDecodeStep(weights: Weights, choice: Choice): Record<string, Value> {
  const { layers, normEpsilon } = weights.config
  const positions = input('positions', [rows, 'tokens'], 'int32')
  const biases: Biases = {
    prefix: input('prefixBias', ['prompts', 1, 1, 'prefix']),
    tail: reshape(input('tailBias', ['prompts', 'samples', 1, 'tail']), [rows, 1, 1, 'tail']),
    tokens: input('tokenBias', ['tokens', 'tokens']),
  }
  const outputs: Record<string, Value> = {}
  let x = embed(weights, input('tokenIds', [multiplyDims(rows, 'tokens')], 'int32'))
  for (let layer = 0; layer < layers; layer++) {
    const { queries, keys, values } = projectAttention(weights, layer, x, { rows, tokens: 'tokens', positions })
    const names = cacheNames(layer)
    outputs[names.newKeys] = keys
    outputs[names.newValues] = values
    x = finishBlock(weights, layer, x, attendCached(weights, layer, queries, keys, values, biases))
  }
  const picked = gather(x, input('picks', ['picked'], 'int32'))
  const hidden = rmsNormalize(picked, weights.get('model.norm.weight'), normEpsilon)
  return { ...outputs, ...buildSuccessors(weights.applyHead(hidden), choice) }
}

/**
 * Logits [picked, vocabulary] as what is asked for. Inputs: where something is drawn, inverseTemperature [1]; where in the
 * graph, shares [picked] in [0, 1); and for `largest` and `drawn` given int32 [picked], tokens that may be prescribed.
 * Outputs: logits, or probabilities and temperedProbabilities (at the temperature), all [picked, vocabulary]; or tokens
 * int32 [picked] with their tokenProbabilities [picked] and the givenProbabilities [picked], none of them tempered.
 */
function buildSuccessors(logits: Value, choice: Choice): Record<string, Value> {
  if (choice === 'logits') return { logits }
  const probabilities = softmax(logits)
  const temper = () => softmax(multiply(logits, input('inverseTemperature', [1])))
  if (choice === 'probabilities') return { probabilities, temperedProbabilities: temper() }
  const tokens = choice === 'largest' ? largest(logits) : draw(temper(), input('shares', ['picked']))
  return {
    tokens,
    tokenProbabilities: pick(probabilities, tokens),
    givenProbabilities: pick(probabilities, input('given', ['picked'], 'int32')),
  }
}

interface Biases {
  prefix: Value
  tail: Value
  tokens: Value
}

/** Attention over prefix, tail and new tokens -> [R*tokens, heads*headWidth]. Query heads of a group and tokens share one axis. */
function attendCached(weights: Weights, layer: number, queries: Value, keys: Value, values: Value, biases: Biases) {
  const { heads, keyValueHeads, headWidth } = weights.config
  const names = cacheNames(layer)
  const prefixShape = ['prompts', keyValueHeads, 'prefix', headWidth]
  const tailShape = [rows, keyValueHeads, 'tail', headWidth]
  const group = multiplyDims(heads / keyValueHeads, 'tokens')
  const shared = multiplyDims('samples', group)
  const product = { transposeB: true, scale: 1 / Math.sqrt(headWidth) }

  const grouped = reshape(queries, [rows, keyValueHeads, group, headWidth])
  /** [R, keyValueHeads, group, n] -> [prompts, keyValueHeads, samples*group, n] */
  const joinSamples = (value: Value, n: Dim) =>
    reshape(swapSamples(reshape(value, ['prompts', 'samples', keyValueHeads, group, n])), [
      'prompts',
      keyValueHeads,
      shared,
      n,
    ])
  /** The way back. */
  const splitSamples = (value: Value, n: Dim) =>
    reshape(swapSamples(reshape(value, ['prompts', keyValueHeads, 'samples', group, n])), [
      rows,
      keyValueHeads,
      group,
      n,
    ])

  const prefixScores = matmul(joinSamples(grouped, headWidth), input(names.prefixKeys, prefixShape), product)
  const tailScores = matmul(grouped, input(names.tailKeys, tailShape), product)
  const tokenScores = reshape(matmul(grouped, keys, product), [rows, heads, 'tokens', 'tokens'])
  const scores = [
    splitSamples(add(prefixScores, biases.prefix), 'prefix'),
    add(tailScores, biases.tail),
    reshape(add(tokenScores, biases.tokens), [rows, keyValueHeads, group, 'tokens']),
  ]
  const shares = softmax(concat(scores, 3))
  const prefixShares = slice(shares, 3, 0, 'prefix')
  const tailShares = slice(shares, 3, 'prefix', 'tail')
  const tokenShares = slice(shares, 3, addDims('prefix', 'tail'), 'tokens')

  const fromPrefix = splitSamples(
    matmul(joinSamples(prefixShares, 'prefix'), input(names.prefixValues, prefixShape)),
    headWidth,
  )
  const fromTail = matmul(tailShares, input(names.tailValues, tailShape))
  const mixed = add(add(fromPrefix, fromTail), matmul(tokenShares, values))
  const joined = transpose(reshape(mixed, [rows, heads, 'tokens', headWidth]), [0, 2, 1, 3])
  return reshape(joined, [multiplyDims(rows, 'tokens'), heads * headWidth])
}

/** Swaps the axes of samples and key-value heads, which stand second and third. */
const swapSamples = (value: Value) => transpose(value, [0, 2, 1, 3, 4])

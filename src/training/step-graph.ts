// The graph of a training step: forward pass, objective and the gradients of what learns. One graph for every objective.
import { gradients, pullBack } from '../autodiff/gradients.ts'
import { internal } from '../base/errors.ts'
import { concat, constant, expand, gather, input, tokenLogProbability } from '../graph/build.ts'
import type { Dim } from '../graph/shape.ts'
import { sortValues, type Value } from '../graph/value.ts'
import type { ModelConfig } from '../model/config.ts'
import { batchInputs, buildHidden, embed, headWeight } from '../model/forward.ts'
import {
  adapterShapes,
  type BaseForm,
  embeddingName,
  headName,
  type LoraShape,
  noiseWidth,
  Weights,
  weightShapes,
} from '../model/weights.ts'
import { buildLoss } from './objective.ts'

/** What learns: all weights, an adapter over frozen ones, or nothing (a reference model, with or without an adapter). */
export type Learning =
  | { kind: 'full' }
  | { kind: 'lora'; lora: LoraShape }
  | { kind: 'none'; lora?: LoraShape | undefined }

export interface StepGraphOptions {
  learning: Learning
  /** The longest row. */
  positions: number
  /** Rows of the head at a time, see tokenLogProbability. */
  chunk: number
  /** Preference objectives: the beta of their loss. */
  beta?: number
  /** How the frozen linear layers are held. */
  base?: BaseForm
  /**
   * What the backward pass computes again instead of keeping what the forward pass computed: whole layers, or what is quick in them:
   * a step of CPT at Qwen2.5-0.5B's shape then peaks at 4.0 GB in place of 6.3.
   */
  recompute?: 'none' | 'quick' | 'layers'
  /** LoRA: the share of their inputs that adapters leave out in each step, see Weights. The graph is fed `dropoutNoise`. */
  dropout?: number
}

/** Names and shapes of what learns, in a fixed order. */
export function trainableShapes(config: ModelConfig, learning: Learning): Map<string, number[]> {
  if (learning.kind === 'none') return new Map()
  return learning.kind === 'full' ? weightShapes(config) : adapterShapes(config, learning.lora)
}

/** What a backward pass computes again at little cost for the memory that it frees: norms, gates, and attention's scores and shares. */
function findQuick(hidden: Value): Set<Value> {
  const quick = new Set<Value>()
  for (const value of sortValues([hidden])) {
    if (['rmsNormalize', 'silu', 'multiply', 'softmax'].includes(value.operation)) quick.add(value)
    // From the shares back to the product of queries and keys.
    let score = value.operation === 'softmax' ? value.inputs[0] : undefined
    for (; score !== undefined; score = score.operation === 'matmul' ? undefined : score.inputs[0]) quick.add(score)
  }
  return quick
}

/** Output name of a weight's gradient. */
export const gradientOutput = (name: string): string => `gradient:${name}`

/**
 * The forward pass alone: `logProbabilities` [N] of the batch's targets, for rows of so many blocks of attention.
 * Inputs: those of a batch (see Batch), and what learns. Where the embedding table learns, the host looks tokens up and feeds
 * `embedded` [rows*tokens, width] instead of tokenIds: adding gradients to rows is quicker there than in any graph.
 */
export function buildForward(config: ModelConfig, { dropout: _, ...options }: StepGraphOptions, blocks = 1) {
  return buildPass(config, options, blocks)
}

/** The forward pass, as evaluations compute it or with a step's dropout. */
function buildPass(config: ModelConfig, options: StepGraphOptions, blocks: number) {
  const { learning, dropout: share = 0 } = options
  const trainable = trainableShapes(config, learning)
  const batch = batchInputs('rows', blocks)
  const weights = new Weights(config, {
    positions: options.positions,
    base: options.base,
    lora: learning.kind === 'full' ? undefined : learning.lora,
    dropout:
      share > 0 && learning.kind === 'lora'
        ? {
            share,
            noise: input('dropoutNoise', [batchSize(batch.tokenIds), noiseWidth(config, learning.lora)], 'int32'),
          }
        : undefined,
    isTrainable: (name) => trainable.has(name),
  })
  const embedded = trainable.has(embeddingName)
    ? input('embedded', [batchSize(batch.tokenIds), config.width])
    : embed(weights, batch.tokenIds)
  const { hidden, residuals } = buildHidden(weights, embedded, batch)
  const predicting = gather(hidden, input('lossPositions', ['predictions'], 'int32'))
  const targets = input('targets', ['predictions'], 'int32')
  const logProbabilities = tokenLogProbability(predicting, headWeight(weights), targets, options.chunk)
  return { outputs: { logProbabilities }, embedded, hidden, predicting, residuals, weights }
}

/**
 * The whole step. Outputs: `logProbabilities` [N], `gradient:<name>` of everything that learns and is in the graph,
 * and, where the embedding table learns, `gradient:embedded` [rows*tokens, width].
 */
export function buildStep(
  config: ModelConfig,
  options: StepGraphOptions,
  blocks = 1,
): { outputs: Record<string, Value> } {
  const { outputs, embedded, hidden, predicting, residuals, weights } = buildPass(config, options, blocks)
  const loss = buildLoss(outputs.logProbabilities, {
    tokenWeights: input('tokenWeights', ['predictions']),
    ...(options.beta === undefined
      ? {}
      : {
          pairs: {
            beta: options.beta,
            matrix: input('pairMatrix', ['pairs', 'predictions']),
            weights: input('pairWeights', ['pairs']),
            referenceMargins: input('referenceMargins', ['pairs']),
          },
        }),
  })
  // In two parts, head and body, because no place predicts twice: the gradient of the gather between them is then a gather too
  // (a row of zeros for places that predict nothing), many times as quick as adding up rows at their places.
  const head = headWeight(weights)
  const headLearns = weights.inputs.has(headName(config))
  const [predictingGradient, headGradient] = gradients(loss, headLearns ? [predicting, head] : [predicting])
  const noPrediction = expand(constant(0), [1, config.width])
  const predictionOf = input('predictionOf', [batchSize(embedded)], 'int32')
  const hiddenGradient = gather(concat([predictingGradient!, noPrediction], 0), predictionOf)

  const targets = new Map(weights.inputs)
  if (headLearns) targets.delete(headName(config))
  if (embedded.operation === 'input') targets.set('embedded', embedded)
  const recomputing = { none: {}, quick: { quick: findQuick(hidden) }, layers: { kept: residuals } }[
    options.recompute ?? 'none'
  ]
  const found = pullBack(hidden, hiddenGradient, [...targets.values()], recomputing)
  // In the order of the layers, so that the runtime computes the last layer's first, and soon needs no more of that layer.
  const named = [...targets.keys()].map((name, i): [string, Value] => [gradientOutput(name), found[i]!])
  if (headGradient !== undefined) named.push([gradientOutput(headName(config)), headGradient])
  return { outputs: { ...outputs, ...Object.fromEntries(named) } }
}

const batchSize = (tokens: Value): Dim => tokens.shape[0] ?? internal('no tokens')

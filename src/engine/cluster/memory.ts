// What a GPU's memory holds while it trains, and how long training takes: the arithmetic, part by part, with its formula.
import { formatBytes, formatCount } from '../../base/format.ts'
import type { ModelConfig } from '../../model/config.ts'
import { adapterShapes, countValues, embeddingName, weightShapes } from '../../model/weights.ts'
import type { TrainingMethod } from '../engine.ts'
import type { Card } from './cards.ts'
import type { ClusterSettings } from './settings.ts'

/** What of a job decides its size. */
export interface JobSize {
  config: ModelConfig
  method: TrainingMethod
  objective: 'next-token' | 'preference'
  /** Tokens of the longest row, or of a pair's prompt and longer response. */
  rowTokens: number
  /** The reference is another model than the start, or all weights learn: it stands beside in memory. */
  secondModel: boolean
}

export type Layout = Pick<ClusterSettings, 'nodes' | 'processes' | 'sharding' | 'fourBit' | 'recomputation'>

export interface MemoryPart {
  name: string
  bytes: number
  formula: string
}

/** NF4 with double quantisation: half a byte, an 8-bit scale a block of 64, a float32 a 256 of those. */
const fourBitBytes = 0.5 + 1 / 64 + 4 / (64 * 256)
/** Weight, gradient and both moments in float32, and the copy in which processes add gradients up. */
const learningBytes = { sharded: 16, whole: 20 }
/** CUDA, kernels and what the allocator cannot use. */
const overheadBytes = 3e9

/** The parts of one GPU's memory at its height; one row (or pair) at a time. */
export function gpuMemory(size: JobSize, layout: Layout): MemoryPart[] {
  const { config, method, objective, rowTokens, secondModel } = size
  const { sharding, fourBit, recomputation } = layout
  const world = layout.nodes * layout.processes
  const share = sharding === 'none' ? 1 : world
  const { linear, other } = countWeights(config)
  const full = method.kind === 'full'
  const perWeight = fourBit ? fourBitBytes : 2
  const model = linear * perWeight + other * 2
  const over = share === 1 ? '' : ` / ${share} GPUs`
  const weightText = `${billions(linear)} x ${fourBit ? '0.516' : '2'} B + ${billions(other)} x 2 B`
  const learns = full ? linear + other : countAdapter(size)
  const perLearning = share === 1 ? learningBytes.whole : learningBytes.sharded

  const rows = objective === 'preference' ? 2 : 1
  const tokens = rows * rowTokens
  const inner =
    8 * config.width + 4 * config.feedForwardWidth + 2 * (config.heads + config.keyValueHeads) * config.headWidth
  const kept = recomputation ? config.layers * config.width + inner : config.layers * inner
  // Logits in bf16 and float32, their log-softmax and gradient; a pair's come with one copy more.
  const perLogit = objective === 'preference' ? 16 : 12
  const layerBytes = share === 1 ? 0 : (2 * 2 * linear) / config.layers
  return [
    part('model', full ? 0 : model / share, full ? 'its weights are those that learn' : `(${weightText})${over}`),
    ...(secondModel ? [part('reference', model / share, `(${weightText})${over}`)] : []),
    ...(share === 1 ? [] : [part('gathered layers', layerBytes, 'two whole layers, 2 B a weight')]),
    part('what learns', (learns * perLearning) / share, `${billions(learns)} x ${perLearning} B${over}`),
    part(
      'activations',
      2 * tokens * kept,
      `${formatCount(tokens)} tokens x ${formatCount(kept)} x 2 B${recomputation ? ', layer inputs only' : ''}`,
    ),
    part('mask', rows * rowTokens ** 2 * 2, `${rows} x ${formatCount(rowTokens)}² x 2 B`),
    part(
      'logits',
      tokens * config.vocabularySize * perLogit,
      `${formatCount(tokens)} tokens x ${formatCount(config.vocabularySize)} x ${perLogit} B`,
    ),
    part('CUDA', overheadBytes, 'kernels and fragments'),
  ]
}

function part(name: string, bytes: number, formula: string): MemoryPart {
  return { name, bytes, formula }
}

export function totalBytes(parts: readonly MemoryPart[]): number {
  return parts.reduce((sum, { bytes }) => sum + bytes, 0)
}

/** 'model 38.3 GB = (70.21 G x 0.516 B + ...), ...': the parts that matter, for people. */
export function describeMemory(parts: readonly MemoryPart[]): string {
  const shown = parts.filter(({ bytes }) => bytes >= 0.005 * totalBytes(parts))
  return shown.map(({ name, bytes, formula }) => `${name} ${formatBytes(bytes)} = ${formula}`).join('; ')
}

/** Parameters in linear layers of the blocks, and all others (embeddings, head, norms). */
export function countWeights(config: ModelConfig): { linear: number; other: number } {
  let linear = 0
  let other = 0
  for (const [name, shape] of weightShapes(config)) {
    const count = shape.reduce((a, b) => a * b, 1)
    if (shape.length === 2 && name !== embeddingName && name !== 'lm_head.weight') linear += count
    else other += count
  }
  return { linear, other }
}

/** Parameters that a token is multiplied with: the table is looked up, the head is not. */
export function countMultiplied(config: ModelConfig): number {
  const { linear, other } = countWeights(config)
  return linear + (config.tiedEmbeddings ? other : other / 2)
}

function countAdapter({ config, method }: JobSize): number {
  if (method.kind === 'full') return 0
  return countValues(adapterShapes(config, method))
}

/**
 * Share of a card's rate that training reaches: assumptions, on the safe side of what is commonly reported. A 4-bit base
 * is unpacked again for each product.
 */
const reached = { sixteenBit: 0.4, fourBit: 0.3 }

export interface TimeNeed {
  seconds: number
  formula: string
}

/** @param tokens that pass through the model in all: a pair's prompt counts with each of its responses. */
export function trainingTime(size: JobSize, layout: Layout, card: Card, tokens: number): TimeNeed {
  const weights = countMultiplied(size.config)
  const full = size.method.kind === 'full'
  const passes = [
    'forward 2',
    'backward 2',
    ...(full ? ['weights 2'] : []),
    ...(layout.recomputation ? ['recomputation 2'] : []),
    ...(size.objective === 'preference' ? ['reference 2'] : []),
  ]
  const share = layout.fourBit ? reached.fourBit : reached.sixteenBit
  const world = layout.nodes * layout.processes
  const rate = share * card.operationsPerSecond * world
  const seconds = (2 * passes.length * weights * tokens) / rate
  const formula = `${formatCount(tokens)} tokens x ${billions(weights)} weights x (${passes.join(' + ')}) / (${world} x ${card.operationsPerSecond / 1e12} TFLOP/s x ${100 * share} %)`
  return { seconds, formula }
}

export function billions(count: number): string {
  return count >= 1e9 ? `${(count / 1e9).toFixed(2)} G` : `${(count / 1e6).toFixed(1)} M`
}

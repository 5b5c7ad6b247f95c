// What sampling will need: memory from the sizes of weights and caches, time from operations and a typical rate.
import { largestOf } from '../../base/extremes.ts'
import type { Estimate } from '../../engine/engine.ts'
import { weightBytes } from '../../model/checkpoint.ts'
import type { ModelConfig } from '../../model/config.ts'
import type { SamplingSettings } from '../sampler.ts'
import { chooseBatchShape } from './batch.ts'
import { roomFor } from './cache.ts'
import type { EmbeddedOptions } from './embedded.ts'
import type { TokenRequest } from './sequence.ts'

/** Floating-point operations a second and thread of a float32 product in ONNX Runtime, on a server core of 2024; half of it in small products. */
const THREAD_RATE = 100e9
/** Seconds and thread that one attention score or one logit costs besides its product: softmax, choosing. */
const ELEMENT_SECONDS = 4e-9
/** Seconds that a step costs a layer before it computes anything: launching some thirty operations. */
const LAYER_STEP_SECONDS = 0.3e-3
/** Bytes of the runtime itself: Node, ONNX Runtime, the tokenizer. */
const RUNTIME_BYTES = 300e6

/** An upper bound: every completion is taken to need all of maxTokens. */
export function estimateSampling(
  config: ModelConfig,
  requests: Pick<TokenRequest, 'prompt' | 'samples'>[],
  { maxTokens }: SamplingSettings,
  options: EmbeddedOptions,
): Estimate {
  const shape = chooseBatchShape(config, requests, options)
  const rows = shape.prompts * shape.samples
  const longest = largestOf(
    requests.map(({ prompt }) => prompt.length),
    1,
  )
  const promptTokens = requests.reduce((total, { prompt }) => total + prompt.length, 0)
  const newTokens = requests.reduce((total, { samples }) => total + samples, 0) * maxTokens

  const tableBytes = 4 * config.vocabularySize * config.width
  const layerBytes = weightBytes(config) - tableBytes * (config.tiedEmbeddings ? 1 : 2)
  // One multiplication and one addition a weight (4 bytes) and token; only new tokens reach the head.
  const operations = (2 / 4) * ((promptTokens + newTokens) * layerBytes + newTokens * tableBytes)
  const steps = newTokens / rows
  const scores = requests.reduce((total, { prompt, samples }) => {
    return total + prompt.length ** 2 / 2 + samples * maxTokens * (prompt.length + maxTokens / 2)
  }, 0)
  const elements = config.layers * config.heads * scores + newTokens * config.vocabularySize
  const tokenCacheBytes = 2 * 4 * config.layers * config.keyValueHeads * config.headWidth
  const cachedTokens = shape.prompts * roomFor(longest) + rows * roomFor(maxTokens)
  return {
    // Caches; two results a vocabulary.
    bytes:
      RUNTIME_BYTES +
      heldBytes(config, options) +
      cachedTokens * tokenCacheBytes +
      2 * 4 * rows * config.vocabularySize,
    seconds:
      (operations / THREAD_RATE + elements * ELEMENT_SECONDS) / options.threads +
      steps * config.layers * LAYER_STEP_SECONDS,
    diskBytes: 0,
  }
}

/** The weights as they lie in the file and as the session packs them; in 8 bits, all but the table of embeddings in a quarter. */
function heldBytes(config: ModelConfig, { precision }: EmbeddedOptions): number {
  const bytes = weightBytes(config)
  if (precision !== 'int8') return 2 * bytes
  const tableBytes = 4 * config.vocabularySize * config.width
  const products = config.tiedEmbeddings ? bytes : bytes - tableBytes
  return tableBytes + (2 * products) / 4
}

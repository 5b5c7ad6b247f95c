// How long a served model writes: reading prompts by the cards' products, writing by their products or the memory they read.
import { formatCount } from '../../base/format.ts'
import type { ModelConfig } from '../../model/config.ts'
import type { Card } from './cards.ts'
import { billions, countMultiplied, countWeights, type TimeNeed } from './memory.ts'

export interface Writing {
  /** Of all outputs together. */
  promptTokens: number
  /** Of all outputs together, at most. */
  newTokens: number
  /** Outputs. */
  outputs: number
  /** Outputs that are asked for at once, at most. */
  concurrency: number
}

/** Shares of a card's rates that serving reaches: assumptions, on the safe side of what is commonly reported. */
const reached = { operations: 0.3, memory: 0.6 }
/** Of a card's memory, what vLLM takes for weights and keys and values (--gpu-memory-utilization). */
const usedShare = 0.9
/** Weights, keys and values in bf16. */
const bytesEach = 2

/**
 * Time of a server in bf16 on GPUs that share the model.
 * @returns undefined where it does not fit them.
 */
export function servingTime(config: ModelConfig, writing: Writing, card: Card, gpus: number): TimeNeed | undefined {
  const { promptTokens, newTokens, outputs, concurrency } = writing
  const { linear, other } = countWeights(config)
  const held = bytesEach * (linear + other)
  const multiplied = countMultiplied(config)
  /** Keys and values of a token in all layers. */
  const tokenBytes = 2 * config.layers * config.keyValueHeads * config.headWidth * bytesEach
  const longest = (promptTokens + newTokens) / outputs
  const room = Math.floor((usedShare * card.bytes * gpus - held) / (tokenBytes * longest))
  const together = Math.min(concurrency, outputs, room)
  if (!(together >= 1)) return undefined

  const operations = reached.operations * card.operationsPerSecond * gpus
  const bandwidth = reached.memory * card.bytesPerSecond * gpus
  const rate = `${gpus} x ${card.operationsPerSecond / 1e12} TFLOP/s x ${100 * reached.operations} %`
  const reading = (2 * multiplied * promptTokens) / operations
  // In a step every output gets one token; keys and values are on average those of the prompt and half of the text.
  const keyBytes = tokenBytes * ((promptTokens + newTokens / 2) / outputs)
  const step = {
    products: (2 * multiplied * together) / operations,
    memory: (bytesEach * multiplied + keyBytes * together) / bandwidth,
  }
  const steps = newTokens / together
  const isBound = step.memory > step.products
  const writingFormula = isBound
    ? `${formatCount(steps)} steps of ${together} outputs x (${billions(multiplied)} weights x 2 B + ${together} x ${formatCount(keyBytes / 1e6)} MB of keys and values) / (${gpus} x ${formatCount(card.bytesPerSecond / 1e9)} GB/s x ${100 * reached.memory} %)`
    : `${formatCount(newTokens)} new tokens, ${together} outputs at once, x 2 x ${billions(multiplied)} weights / (${rate})`
  return {
    seconds: reading + steps * Math.max(step.products, step.memory),
    formula: `${formatCount(promptTokens)} prompt tokens x 2 x ${billions(multiplied)} weights / (${rate}) + ${writingFormula}`,
  }
}

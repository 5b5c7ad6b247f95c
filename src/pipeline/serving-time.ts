// How long a recipe's served models write: by the cards' arithmetic where it names cards, by a stream's typical speed where not.
import { formatCount } from '../base/format.ts'
import { requireCard } from '../engine/cluster/choose.ts'
import { servingTime } from '../engine/cluster/serving.ts'
import type { ModelConfig } from '../model/config.ts'
import type { Recipe } from '../recipe/recipe.ts'
import { typicalTokensPerSecond } from '../sampler/server/server.ts'
import { startSettings } from './tools.ts'

/** Outputs that a server is asked for. */
export interface Outputs {
  count: number
  /** Of all of them together. */
  promptTokens: number
  /** Of each, at most. */
  maxTokens: number
}

export interface ServedTime {
  seconds: number
  /** 0 where it is not known on how many. */
  gpus: number
  formula: string
}

/** @returns undefined where the model does not fit the GPUs that the recipe names. */
export function servedTime(recipe: Recipe, config: ModelConfig, outputs: Outputs): ServedTime | undefined {
  const { start, endpoints } = recipe.sampler
  const { count, promptTokens, maxTokens } = outputs
  const newTokens = count * maxTokens
  const concurrency = start?.concurrency ?? endpoints.reduce((sum, endpoint) => sum + endpoint.concurrency, 0)
  const { engine } = recipe
  // Endpoints beside a cluster are taken to have what it trains on.
  const ofEndpoints = engine.kind === 'cluster' ? engine.nodes * engine.processes : 0
  const gpus = start === undefined ? ofEndpoints : startSettings(recipe).gpus
  if (gpus === 0) {
    const seconds = newTokens / (typicalTokensPerSecond * concurrency)
    const formula = `${formatCount(newTokens)} new tokens / (${concurrency} calls at once x ${typicalTokensPerSecond} tokens/s)`
    return { seconds, gpus, formula }
  }
  const writing = { promptTokens, newTokens, outputs: count, concurrency }
  const time = servingTime(config, writing, requireCard(engine.card), gpus)
  return time && { ...time, gpus }
}

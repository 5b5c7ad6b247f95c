// A model's whole forward pass over one sequence: what the sampler's cached steps are compared with.
import { isLarge } from '../src/engine/embedded/learner.ts'
import type { ModelReference } from '../src/engine/engine.ts'
import { openCheckpoint, type Precision } from '../src/model/checkpoint.ts'
import { batchInputs, buildHidden, embed } from '../src/model/forward.ts'
import { Weights } from '../src/model/weights.ts'
import { compile } from '../src/runtime/session.ts'

export interface Forward {
  /** logits [tokens, vocabulary] and the log-probability of each next token (of nothing in the last place). */
  run(tokens: number[]): Promise<{ logits: Float32Array; logProbabilities: Float32Array }>
  close(): Promise<void>
}

/** `positions`: the longest sequence that will be run. */
export async function openForward(model: ModelReference, positions = 512, precision?: Precision): Promise<Forward> {
  const checkpoint = await openCheckpoint(model, positions, precision)
  const weights = new Weights(checkpoint.config, { positions, lora: checkpoint.lora, base: checkpoint.base })
  const batch = batchInputs(1)
  const { hidden } = buildHidden(weights, embed(weights, batch.tokenIds), batch)
  const executable = await compile(
    { logits: weights.applyHead(hidden) },
    {
      weights: checkpoint.place,
      weightsFolder: checkpoint.folder,
      threads: 2,
      // 8-bit products need their weights packed.
      mapWeights: precision !== 'int8' && isLarge(checkpoint.config),
    },
  )
  return {
    async run(tokens) {
      const count = tokens.length
      const bias = Float32Array.from({ length: count ** 2 }, (_, i) => (i % count > Math.floor(i / count) ? -1e30 : 0))
      const results = await executable.run({
        tokenIds: { shape: [count], data: Int32Array.from(tokens) },
        positions: { shape: [1, count], data: Int32Array.from(tokens, (_, i) => i) },
        attentionBias: { shape: [1, 1, count, count], data: bias },
      })
      const logits = results.logits!.data as Float32Array
      const size = logits.length / count
      const logProbabilities = Float32Array.from([...tokens.slice(1), 0], (target, i) => {
        const row = logits.subarray(i * size, (i + 1) * size)
        const largest = row.reduce((most, logit) => Math.max(most, logit))
        const total = row.reduce((sum, logit) => sum + Math.exp(logit - largest), 0)
        return row[target]! - largest - Math.log(total)
      })
      return { logits, logProbabilities }
    },
    close: () => executable.release(),
  }
}

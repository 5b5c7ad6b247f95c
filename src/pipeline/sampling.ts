// Sampling that can be killed: finished completions stand in a file and are not asked for again.
import { join } from 'node:path'
import { internal } from '../base/errors.ts'
import type { RunEvent } from '../base/progress.ts'
import type { ModelReference } from '../engine/engine.ts'
import { RecordStore } from '../runs/record-store.ts'
import type { Completion, SampleRequest, SamplingSettings } from '../sampler/sampler.ts'
import type { StageWork } from './stage.ts'

/** Completions so far; removed when the stage's final file stands. */
export const partialName = 'partial.jsonl'

/** What was drawn, in a file. */
export interface DrawnSamples {
  /** A request's samples, in order, by the request's index. */
  read(request: number): Promise<Completion[]>
  close(): Promise<void>
}

/**
 * Draws every sample of every request, whatever was interrupted in between: what is in the stage's partial file is not
 * asked for again, and nothing of it is held in memory. Where a sample depends on seed, request and index alone, it is what
 * would be drawn again. The caller closes what it gets.
 */
export async function* sampleAll(
  { stage, recipe, tools, folder, signal }: StageWork,
  model: ModelReference,
  requests: readonly SampleRequest[],
  settings: SamplingSettings,
  sequences: number,
): AsyncGenerator<RunEvent, DrawnSamples> {
  /** Request -> the number of its first sample. */
  const firsts = new Map<string, number>()
  let total = 0
  for (const { id, samples } of requests) {
    firsts.set(id, total)
    total += samples
  }
  const countOf = new Map(requests.map(({ id, samples }) => [id, samples]))
  const numberOf = ({ id, sample }: Completion) =>
    sample < (countOf.get(id) ?? 0) ? (firsts.get(id) ?? internal(`no request ${id}`)) + sample : undefined
  const store = await RecordStore.open<Completion>(join(folder, partialName), total, numberOf)
  let isWhole = false
  try {
    let done = store.count()
    const missing = requests.flatMap((request) => {
      const first = firsts.get(request.id) ?? internal(`no request ${request.id}`)
      const written = Array.from({ length: request.samples }, (_, i) => i).filter((i) => store.has(first + i))
      return written.length < request.samples ? [{ ...request, written }] : []
    })
    if (missing.length > 0) {
      const sampler = await tools.openSampler(model, { threads: recipe.threads, sequences })
      try {
        for await (const completion of sampler.sample(missing, settings, signal)) {
          await store.append(
            numberOf(completion) ?? internal(`a sample of ${completion.id} that was not asked for`),
            completion,
          )
          done++
          yield { type: 'stage-progress', stage: stage.id, done, total, unit: 'samples', sample: completion.text }
        }
      } finally {
        await sampler.close()
      }
    }
    isWhole = true
  } finally {
    // Also where nobody reads on.
    if (!isWhole) await store.close()
  }
  return {
    async read(request) {
      const { id, samples } = requests[request] ?? internal(`no request ${request}`)
      const first = firsts.get(id) ?? internal(`no request ${id}`)
      const numbers = Array.from({ length: samples }, (_, i) => first + i).filter((number) => store.has(number))
      const completions: Completion[] = []
      for (const number of numbers) completions.push(await store.read(number))
      return completions
    },
    close: () => store.close(),
  }
}

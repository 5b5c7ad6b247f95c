// The embedded sampler: ONNX Runtime in worker threads, on the weights and adapters that the engine trains.
import { internal } from '../../base/errors.ts'
import { type RemoteWorker, startWorker, workerBeside } from '../../base/worker-call.ts'
import type { Estimate, ModelReference } from '../../engine/engine.ts'
import { type Precision, weightBytes } from '../../model/checkpoint.ts'
import { loadModelConfig } from '../../model/config.ts'
import {
  type Completion,
  capabilities,
  refuseRepeatedIds,
  type SampleRequest,
  type Sampler,
  type SamplerOptions,
} from '../sampler.ts'
import { mergeStreams } from './merge.ts'

export interface EmbeddedOptions extends SamplerOptions {
  /** Of products with the weights; float32 when left out. Log-probabilities are those of the model in this precision. */
  precision?: Precision
}

/**
 * Models up to this size run once a thread, each on its part of the requests: their products are too small to share
 * between threads, and what a row computes does not depend on its batch. Larger ones are held once, by all threads.
 */
const COPIED_MODEL_BYTES = 64 * 2 ** 20

/**
 * Opens a model folder, with a PEFT adapter on top where one is named, for at most `sequences` sequences at once.
 * Same model, requests, settings and threads: same tokens and log-probabilities to the bit, whatever the batch.
 * A model that cannot be read is a UserError here, not at the first sample.
 */
export async function openEmbeddedSampler(
  model: ModelReference,
  { threads, sequences, precision = 'float32' }: EmbeddedOptions,
): Promise<Sampler> {
  const config = await loadModelConfig(model.folder)
  const copies = weightBytes(config) <= COPIED_MODEL_BYTES ? Math.max(1, Math.min(threads, sequences)) : 1
  const options: EmbeddedOptions = {
    threads: Math.max(1, Math.floor(threads / copies)),
    sequences: Math.ceil(sequences / copies),
    precision,
  }
  const workers = Array.from({ length: copies }, () => startWorker(workerBeside(import.meta.url, 'worker')))
  const closeAll = async () => {
    await Promise.all(workers.map((worker) => worker.close()))
  }
  try {
    await Promise.all(workers.map((worker) => only(worker, 'open', { model, options })))
  } catch (error) {
    await closeAll()
    throw error
  }
  return {
    capabilities: new Set(capabilities),
    hosts: [],
    async *sample(requests, settings, signal) {
      refuseRepeatedIds(requests)
      // Ended with the call, so that a failure in one worker stops the others at once.
      const call = new AbortController()
      const signals = AbortSignal.any([signal, call.signal])
      const streams = divide(requests, copies).map((part, i) =>
        workers[i]!.stream<Completion>('sample', { requests: part, settings }, signals),
      )
      yield* mergeStreams(streams, () => call.abort())
    },
    async estimate(requests, settings) {
      const parts = divide(requests, copies)
      const estimates = await Promise.all(
        parts.map((part, i) => only<Estimate>(workers[i]!, 'estimate', { requests: part, settings })),
      )
      return {
        bytes: estimates.reduce((total, { bytes }) => total + bytes, 0),
        seconds: Math.max(...estimates.map(({ seconds }) => seconds)),
        diskBytes: 0,
      }
    },
    async close() {
      await Promise.all(workers.map((worker) => only(worker, 'close', {})))
      await closeAll()
    },
  }
}

/** Deals requests out, longest prompts first and back and forth, so that parts take about the same time. At least one part. */
function divide(requests: SampleRequest[], parts: number): SampleRequest[][] {
  const sorted = requests.toSorted((a, b) => b.prompt.length - a.prompt.length)
  const dealt: SampleRequest[][] = Array.from({ length: Math.max(1, Math.min(parts, requests.length)) }, () => [])
  sorted.forEach((request, i) => {
    const place = i % (2 * dealt.length)
    dealt[place < dealt.length ? place : 2 * dealt.length - 1 - place]!.push(request)
  })
  return dealt
}

/** The one event of a call that answers with one. */
async function only<Event>(worker: RemoteWorker, method: string, args: unknown): Promise<Event> {
  for await (const event of worker.stream<Event>(method, args)) return event
  return internal(`${method} gave no answer`)
}

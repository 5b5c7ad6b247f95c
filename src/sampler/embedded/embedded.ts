// The embedded sampler: ONNX Runtime in a worker thread, on the weights and adapters that the engine trains.
import { internal } from '../../base/errors.ts'
import { type RemoteWorker, startWorker } from '../../base/worker-call.ts'
import type { Estimate } from '../../engine/engine.ts'
import type { Completion, OpenSampler } from '../sampler.ts'

/**
 * Opens a model folder, with a PEFT adapter on top where one is named, for at most `sequences` sequences at once.
 * Same model, requests, settings and threads: same tokens and log-probabilities to the bit, whatever the batch.
 * A model that cannot be read is a UserError here, not at the first sample.
 */
export const openEmbeddedSampler: OpenSampler = async (model, options) => {
  const suffix = import.meta.url.endsWith('.ts') ? '.ts' : '.js'
  const worker = startWorker(new URL(`./worker${suffix}`, import.meta.url))
  try {
    await only(worker, 'open', { model, options })
  } catch (error) {
    await worker.close()
    throw error
  }
  return {
    sample: (requests, settings, signal) => worker.stream<Completion>('sample', { requests, settings }, signal),
    estimate: (requests, settings) => only<Estimate>(worker, 'estimate', { requests, settings }),
    async close() {
      await only(worker, 'close', {})
      await worker.close()
    },
  }
}

/** The one event of a call that answers with one. */
async function only<Event>(worker: RemoteWorker, method: string, args: unknown): Promise<Event> {
  for await (const event of worker.stream<Event>(method, args)) return event
  return internal(`${method} gave no answer`)
}

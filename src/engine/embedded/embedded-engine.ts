// The embedded engine: trains in this process on ONNX Runtime, each job in a worker thread of its own.
import type { TrainingEvent } from '../../base/progress.ts'
import { startWorker, workerBeside } from '../../base/worker-call.ts'
import type { Engine, Estimate, TrainingJob } from '../engine.ts'
import { estimateTraining } from './estimate.ts'

export class EmbeddedEngine implements Engine {
  async *train(job: TrainingJob, signal: AbortSignal): AsyncGenerator<TrainingEvent> {
    signal.throwIfAborted()
    const worker = startWorker(workerBeside(import.meta.url, 'worker'))
    try {
      yield* worker.stream<TrainingEvent>('train', job, signal)
    } finally {
      await worker.close()
    }
  }

  estimate(job: TrainingJob): Promise<Estimate> {
    return estimateTraining(job)
  }
}

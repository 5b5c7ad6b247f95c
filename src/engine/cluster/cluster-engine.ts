// The cluster engine: the same jobs on GPUs, by LLaMA-Factory on PyTorch, started here by torchrun or through Slurm.
import type { TrainingEvent } from '../../base/progress.ts'
import { loadModelConfig } from '../../model/config.ts'
import type { Engine, Estimate, TrainingJob } from '../engine.ts'
import { type OpenSettings, settingsFor } from './choose.ts'
import { estimateOnCluster, heldBy, sizeOf } from './estimate.ts'
import { realSurroundings, type Surroundings } from './session.ts'
import { trainOnCluster } from './train.ts'

export class ClusterEngine implements Engine {
  private readonly open: OpenSettings
  private readonly surroundings: Surroundings

  constructor(settings: OpenSettings, surroundings: Surroundings = realSurroundings) {
    this.open = settings
    this.surroundings = surroundings
  }

  async *train(job: TrainingJob, signal: AbortSignal): AsyncGenerator<TrainingEvent> {
    signal.throwIfAborted()
    const settings = settingsFor(this.open, heldBy(job), sizeOf(job, await loadModelConfig(job.model.folder)))
    yield* trainOnCluster(job, settings, signal, this.surroundings)
  }

  estimate(job: TrainingJob): Promise<Estimate> {
    return estimateOnCluster(job, this.open)
  }
}

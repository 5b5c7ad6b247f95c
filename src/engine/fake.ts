// A fake engine: records its calls, learns nothing, and gives results of the right form at once.
import { join } from 'node:path'
import { loadJsonLines, writeFolderAtomic } from '../base/files.ts'
import type { TrainingEvent } from '../base/progress.ts'
import { writeAdapter } from '../formats/adapter.ts'
import { readTensor } from '../formats/safetensors.ts'
import { copyModelFiles, openWeights, writeWeights } from '../formats/weights.ts'
import type { Engine, Estimate, TrainingJob } from './engine.ts'

export class FakeEngine implements Engine {
  readonly jobs: TrainingJob[] = []
  readonly estimated: TrainingJob[] = []

  async *train(job: TrainingJob, signal: AbortSignal): AsyncGenerator<TrainingEvent> {
    signal.throwIfAborted()
    this.jobs.push(job)
    const rows = await loadJsonLines(job.trainingFile)
    const { steps } = await this.estimate(job)
    const folder = join(job.outputFolder, 'result')
    yield { type: 'training-start', steps, firstStep: 1, trainableParameters: 1, threads: job.threads }
    yield* this.evaluate(job, 0)
    for (let step = 1; step <= steps; step++) {
      signal.throwIfAborted()
      const numbers = {
        loss: 1 / step,
        learningRate: job.learningRate,
        gradientNorm: 1,
        tokens: rows.length,
        seconds: 0,
      }
      yield { type: 'step-end', step, ...numbers }
      if (step % job.evaluateEverySteps === 0 || step === steps) yield* this.evaluate(job, step)
    }
    await writeFolderAtomic(folder, (partial) => writeUntrained(partial, job))
    yield { type: 'training-end', step: steps, keptStep: steps, folder }
  }

  async estimate(job: TrainingJob): Promise<Estimate & { steps: number }> {
    this.estimated.push(job)
    const rows = await loadJsonLines(job.trainingFile)
    return { bytes: 1, seconds: 1, diskBytes: 1, steps: job.steps ?? Math.ceil((job.epochs ?? 1) * rows.length) }
  }

  private *evaluate(job: TrainingJob, step: number): Generator<TrainingEvent> {
    for (const set of Object.keys(job.evaluationFiles)) {
      yield { type: 'evaluation-end', step, set, loss: 1 / (step + 1), tokens: 1 }
    }
  }
}

/** The model as it was, or an adapter of zeros. */
async function writeUntrained(folder: string, { method, model }: TrainingJob): Promise<void> {
  const { tensors } = await openWeights(model.folder)
  if (method.kind === 'full') {
    await copyModelFiles(model.folder, folder, 'F32')
    const sources = [...tensors.values()].map((tensor) => ({ ...tensor, read: () => readTensor(tensor) }))
    return writeWeights(folder, sources)
  }
  const { rank, alpha, targetModules } = method
  const layers = [...tensors.values()]
    .filter(({ name }) => targetModules.some((module) => name.endsWith(`.${module}.weight`)))
    .map(({ name, shape: [outputs = 0, inputs = 0] }) => ({
      weight: name,
      inputs,
      outputs,
      a: new Float32Array(rank * inputs),
      b: new Float32Array(outputs * rank),
    }))
  return writeAdapter(folder, { rank, alpha, targetModules, baseModel: model.folder }, layers)
}

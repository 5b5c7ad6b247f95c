// What a finished training left, as the engine's result: an adapter or a model folder, looked over and in our own form.
import { copyFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { UserError } from '../../base/errors.ts'
import { exists, readJson, writeFolderAtomic, writeJson } from '../../base/files.ts'
import { openAdapter } from '../../formats/adapter.ts'
import { copyModelFiles, openWeights, weightType } from '../../formats/weights.ts'
import type { TrainingJob } from '../engine.ts'
import { readLines } from './history.ts'

/** Of transformers. */
interface TrainerState {
  global_step?: number
  best_global_step?: number | null
}

/** The step whose weights stand in the output, where the training came to its end. */
export async function finishedStep(output: string, steps: number, { keep }: TrainingJob): Promise<number | undefined> {
  const lines = await readLines(join(output, 'trainer_state.json'))
  if (lines === undefined) return undefined
  const state = JSON.parse(lines.join('\n')) as TrainerState
  // The state is written after the weights: what ended badly once it stands has nothing left to lose.
  if (state.global_step !== steps) return undefined
  return keep === 'best' ? (state.best_global_step ?? steps) : steps
}

/**
 * Copies the weights of a training's output (or checkpoint) to `target`, renamed into place last.
 * @throws UserError where they are not those that the job asked for.
 */
export async function collectResult(source: string, target: string, { method, model }: TrainingJob): Promise<void> {
  if (method.kind === 'lora') {
    const { config } = await openAdapter(source)
    const same = (a: readonly string[], b: readonly string[]) => [...a].sort().join() === [...b].sort().join()
    if (
      config.rank !== method.rank ||
      config.alpha !== method.alpha ||
      config.rankStabilised !== (method.rankStabilised ?? false) ||
      !same(config.targetModules, method.targetModules)
    ) {
      throw new UserError(
        `${source}: an adapter of rank ${config.rank}, alpha ${config.alpha}${config.rankStabilised ? ', rank-stabilised' : ''}, not the one that was asked for.`,
      )
    }
    return writeFolderAtomic(target, async (partial) => {
      await copyFile(join(source, 'adapter_model.safetensors'), join(partial, 'adapter_model.safetensors'))
      // PEFT writes the layers as a set, in whatever order.
      const written = (await readJson(join(source, 'adapter_config.json'))) as object
      await writeJson(join(partial, 'adapter_config.json'), { ...written, target_modules: method.targetModules })
    })
  }
  const wanted = await openWeights(model.folder)
  const found = await openWeights(source)
  const missing = [...wanted.tensors.keys()].find((name) => !found.tensors.has(name))
  if (missing !== undefined) throw new UserError(`${source}: the trained model has no ${missing}.`)
  return writeFolderAtomic(target, async (partial) => {
    await copyModelFiles(model.folder, partial, weightType(found))
    const names = (await readdir(source)).filter((name) => /\.safetensors(\.index\.json)?$/.test(name))
    for (const name of names) await copyFile(join(source, name), join(partial, name))
  })
}

/** The adapters of checkpoints that stand for wanted steps: the first checkpoint at or after each. */
export async function keepSnapshots(
  checkpoints: readonly { step: number; folder: string }[],
  job: TrainingJob,
  steps: number,
): Promise<void> {
  for (const { step, folder } of checkpoints) {
    const isWanted = job.snapshotSteps.some((wanted) => wanted <= step && step < wanted + job.checkpointEverySteps)
    if (!isWanted || step >= steps) continue
    const target = join(job.outputFolder, 'snapshots', `step-${step}`)
    if (!(await exists(target))) await collectResult(folder, target, job)
  }
}

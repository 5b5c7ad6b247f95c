// The disk that a run will need, before it runs: weights, checkpoints and snapshots of every training.
import { readdir, stat, statfs } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { hasCode } from '../base/errors.ts'
import type { ModelConfig } from '../model/config.ts'
import { adapterShapes, countValues, weightShapes } from '../model/weights.ts'
import { miniaturePrefix } from '../recipe/paths.ts'
import type { Recipe } from '../recipe/recipe.ts'
import { expandStages } from './expand.ts'
import { hasWeights } from './inputs.ts'
import { findModelShape } from './model-shape.ts'
import type { StageState } from './plan.ts'
import type { Stage } from './stage.ts'
import { findModelFolder } from './stages/download.ts'

export interface DiskNeed {
  /** Stages that are still to write weights, with what each needs at its height, in bytes. */
  stages: { id: string; bytes: number }[]
  /** All of them. Texts, samples and answers come on top; they are small beside weights. */
  bytes: number
  /** Of the disk that the run will stand on. */
  freeBytes: number
}

/** Weights that the miniature's model has; its configuration is written by the run itself. */
const miniatureWeights = 1_130_000
/** What is trained is written in float32; a merged model keeps the types of its base, which are 16 bits where it is published. */
const bytes = { trained: 4, published: 2 }

/**
 * @param states of the run's stages: what is done has its room already.
 * @param runsFolder holds a folder a run; need not be there yet.
 * @returns undefined where the model is not here and its shape is not known.
 */
export async function estimateDisk(
  recipe: Recipe,
  states: ReadonlyMap<string, StageState>,
  runsFolder: string,
): Promise<DiskNeed | undefined> {
  const base = await measureBase(recipe, runsFolder)
  if (base === undefined) return undefined
  const { stages } = expandStages(recipe, base.isAbsent || (await hasWeights(recipe)))
  const left = stages.filter(({ id }) => states.get(id) !== 'done')
  const needs = left.map((stage) => ({ id: stage.id, bytes: countWritten(stage, recipe, base) }))
  return {
    stages: needs.filter((need) => need.bytes > 0),
    bytes: needs.reduce((sum, need) => sum + need.bytes, 0),
    freeBytes: await measureFree(resolve(runsFolder)),
  }
}

/** The model to start from. */
interface Base {
  weights: number
  /** As it lies on disk. */
  bytes: number
  /** Undefined for the miniature's. */
  config: ModelConfig | undefined
  /** It is downloaded first. */
  isAbsent: boolean
}

async function measureBase(recipe: Recipe, runsFolder: string): Promise<Base | undefined> {
  if (recipe.model.folder.startsWith(miniaturePrefix)) {
    const weights = miniatureWeights
    return { weights, bytes: bytes.trained * weights, config: undefined, isAbsent: false }
  }
  const config = await findModelShape(recipe, runsFolder)
  if (config === undefined) return undefined
  const weights = countValues(weightShapes(config))
  const folder = await findModelFolder(recipe, runsFolder)
  const isAbsent = folder === undefined
  const stored = isAbsent ? 0 : await measureWeights(folder)
  return { weights, bytes: stored || (isAbsent ? bytes.published : bytes.trained) * weights, config, isAbsent }
}

/** Bytes of a folder's weights; 0 where it has none yet. */
async function measureWeights(folder: string): Promise<number> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.safetensors'))
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(folder, name))).size))
  return sizes.reduce((sum, size) => sum + size, 0)
}

function countWritten({ id, kind }: Stage, recipe: Recipe, base: Base): number {
  if (kind === 'download') return base.isAbsent ? base.bytes : 0
  if (kind === 'initialise') return bytes.trained * base.weights
  if (kind !== 'pretrain' && kind !== 'prefer') return 0
  const settings = id === 'foundation' && recipe.foundation ? recipe.foundation.pretrain : recipe[kind]
  const snapshots = recipe.report.probeQuestions > 0 ? recipe.report.probeSnapshots - 2 : 0
  // A checkpoint holds the trained weights and two moments of each; one more is there while the next is written.
  const copies = 1 + snapshots + 3 * (settings.keepCheckpoints + 1)
  if (settings.method === 'full') return copies * bytes.trained * base.weights
  const lora = { rank: settings.rank, alpha: settings.alpha, targetModules: settings.modules }
  // The merged model stands beside the adapter. The miniature's adapters are smaller than its model.
  const learns = base.config === undefined ? base.weights : countValues(adapterShapes(base.config, lora))
  return base.bytes + copies * bytes.trained * learns
}

/** Free bytes of the disk that a folder is on, or will be. */
async function measureFree(folder: string): Promise<number> {
  try {
    const { bavail, bsize } = await statfs(folder)
    return bavail * bsize
  } catch (error) {
    if (hasCode(error, 'ENOENT') && dirname(folder) !== folder) return measureFree(dirname(folder))
    throw error
  }
}

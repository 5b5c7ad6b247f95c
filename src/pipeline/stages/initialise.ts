// Initial weights, drawn from the seed, for a model folder that has none.
import { copyFile, mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { readError } from '../../base/files.ts'
import { initialiseModel } from '../../engine/embedded/initial-model.ts'
import type { Recipe } from '../../recipe/recipe.ts'
import { locatePath, type ModelSource, reads, readsFiles } from '../models.ts'
import type { Stage } from '../stage.ts'

const modelPath = 'model'
/** What of a folder makes a model, besides its weights. */
const modelFiles = /\.(json|jinja|txt|model)$/

export function initialiseStage(recipe: Recipe): { stage: Stage; model: ModelSource } {
  const { folder: source, tokenizer } = recipe.model
  const stage: Stage = {
    id: 'initialise',
    kind: 'initialise',
    title: 'Initial weights',
    ...reads(readsFiles({ 'model.folder': source, 'model.tokenizer': tokenizer })),
    settings: { seed: recipe.seed },
    async run({ folder, runFolder }) {
      const target = join(folder, modelPath)
      await rm(target, { recursive: true, force: true })
      await mkdir(target, { recursive: true })
      for (const path of [source, tokenizer]) {
        if (path === undefined) continue
        const from = locatePath(path, runFolder)
        const names = await readdir(from).catch((error) => {
          throw readError(from, error)
        })
        for (const name of names.filter((file) => modelFiles.test(file)))
          await copyFile(join(from, name), join(target, name))
      }
      await initialiseModel(target, recipe.seed)
      return { outputs: [modelPath], summary: 'weights drawn from the seed' }
    },
  }
  return { stage, model: { name: 'base', at: { stage: stage.id, path: modelPath } } }
}

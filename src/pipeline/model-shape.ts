// The shape of a recipe's model: of its own configuration, or as it was published where the model is elsewhere.
import { UserError } from '../base/errors.ts'
import { loadModelConfig, type ModelConfig } from '../model/config.ts'
import { findPublishedShape } from '../model/published-shapes.ts'
import { readHubModel } from '../recipe/paths.ts'
import type { Recipe } from '../recipe/recipe.ts'
import { findModelFolder } from './stages/download.ts'

export async function findModelShape(recipe: Recipe, runsFolder: string): Promise<ModelConfig | undefined> {
  const folder = await findModelFolder(recipe, runsFolder)
  if (folder !== undefined) {
    try {
      return await loadModelConfig(folder)
    } catch (error) {
      if (!(error instanceof UserError)) throw error
    }
  }
  const name = readHubModel(recipe.model.folder)?.name
  return name === undefined ? undefined : findPublishedShape(name)
}

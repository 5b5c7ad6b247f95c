// How far a run is: by its plan, or, where what it reads is elsewhere, by what its stages left here.
import { join, resolve } from 'node:path'
import { UserError } from '../base/errors.ts'
import { exists } from '../base/files.ts'
import type { Recipe } from '../recipe/recipe.ts'
import { DamagedStage, readManifest } from '../runs/manifest.ts'
import { expandStages } from './expand.ts'
import { type Inspection, inspectStage, type StageState } from './plan.ts'
import { planRecipe } from './run.ts'

/** Each stage's state, by its id; none before the first run. Input files that are not here are taken to be what they were. */
export async function findStates(recipe: Recipe, runsFolder: string): Promise<Map<string, StageState>> {
  if (!(await exists(resolve(runsFolder, recipe.name)))) return new Map()
  try {
    const { stages } = await planRecipe(recipe, { runsFolder })
    return new Map(stages.map(({ id, state }) => [id, state]))
  } catch (error) {
    if (!(error instanceof UserError)) throw error
  }
  const inspections = new Map<string, Inspection>()
  for (const stage of expandStages(recipe, true).stages) {
    const folder = join(resolve(runsFolder, recipe.name), stage.id)
    const manifest = await readManifest(folder).catch((error) => {
      if (error instanceof DamagedStage) return null
      throw error
    })
    inspections.set(stage.id, await inspectStage(stage, folder, inspections, manifest?.inputs ?? {}))
  }
  return new Map([...inspections].map(([id, { state }]) => [id, state]))
}

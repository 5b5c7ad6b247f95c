// Gives a model folder that has a configuration but no weights its initial weights.
import { UserError } from '../../base/errors.ts'
import { hasWeights, writeWeights } from '../../formats/weights.ts'
import { loadModelConfig } from '../../model/config.ts'
import { initialWeights } from '../../training/initial-values.ts'

/** Writes seeded initial weights (float32) beside `<folder>/config.json`. A folder that has weights already is a UserError. */
export async function initialiseModel(folder: string, seed: number): Promise<void> {
  if (await hasWeights(folder)) throw new UserError(`${folder}: has weights already; initial ones would replace them.`)
  await writeWeights(folder, [...initialWeights(await loadModelConfig(folder), seed)])
}

// The miniature: the invented world's texts, examinations, tokenizer and model configuration.
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { internal } from '../../base/errors.ts'
import { formatCount } from '../../base/format.ts'
import { writeWorld } from '../../miniature/write-world.ts'
import type { Recipe } from '../../recipe/recipe.ts'
import type { Stage } from '../stage.ts'

/** Where the world's files stand, below the stage's folder; recipes name them as 'miniature:<file>'. */
export const worldPath = 'world'

export function miniatureStage(recipe: Recipe): Stage {
  const { seed = recipe.seed, ...settings } = recipe.miniature ?? internal('no miniature in the recipe')
  return {
    id: 'miniature',
    kind: 'miniature',
    title: 'The miniature world',
    dependencies: [],
    inputs: {},
    settings: { miniature: { seed, ...settings } },
    async run({ folder }) {
      await rm(join(folder, worldPath), { recursive: true, force: true })
      const world = await writeWorld(join(folder, worldPath), { seed, ...settings })
      const sum = (counts: Record<string, number>) => Object.values(counts).reduce((total, count) => total + count, 0)
      return {
        outputs: [worldPath],
        summary: `${formatCount(sum(world.documents))} texts, ${sum(world.questions)} questions, ${formatCount(world.vocabulary)} tokens`,
      }
    },
  }
}

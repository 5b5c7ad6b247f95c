// Runs a recipe in a process of its own and tells its stages on standard output, so that it can be killed at a chosen moment.
import { runRecipe } from '../../src/pipeline/run.ts'
import { loadRecipe } from '../../src/recipe/recipe.ts'

const [file = '', runsFolder = ''] = process.argv.slice(2)
const { recipe } = await loadRecipe(file)
for await (const event of runRecipe(recipe, { runsFolder })) {
  if (event.type === 'stage-start' || event.type === 'stage-end') process.stdout.write(`${JSON.stringify(event)}\n`)
}

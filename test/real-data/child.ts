// Runs the recipe in a process of its own and prints its peak of resident memory, in bytes.
import { runRecipe } from '../../src/pipeline/run.ts'
import { loadRecipe } from '../../src/recipe/recipe.ts'

const [file = '', runsFolder = ''] = process.argv.slice(2)
const { recipe } = await loadRecipe(file)
for await (const _ of runRecipe(recipe, { runsFolder })) {
  // Only the result matters here.
}
process.stdout.write(JSON.stringify({ peakBytes: process.resourceUsage().maxRSS * 1024 }))

// Runs the recipe in a process of its own and prints its peak of resident memory, in bytes.
import { join } from 'node:path'
import { runRecipe } from '../../src/pipeline/run.ts'
import { loadRecipe } from '../../src/recipe/recipe.ts'

const { recipe } = await loadRecipe(join(import.meta.dirname, 'igakuqa.yaml'))
for await (const _ of runRecipe(recipe, { runsFolder: process.argv[2] })) {
  // Only the result matters here.
}
process.stdout.write(JSON.stringify({ peakBytes: process.resourceUsage().maxRSS * 1024 }))

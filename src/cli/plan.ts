// The plan of a run, for --dry-run: every stage with its state and reason, the disk it will need.
import { formatBytes } from '../base/format.ts'
import { estimateDisk } from '../pipeline/disk.ts'
import { planRecipe } from '../pipeline/run.ts'
import type { Recipe } from '../recipe/recipe.ts'
import { table } from './table.ts'

const stateWords = { done: 'done', changed: 'runs again', interrupted: 'goes on', new: 'runs' }

/** Prints what would run; nothing is written. */
export async function showPlan(recipe: Recipe, runsFolder: string, options: { json: boolean }): Promise<void> {
  const plan = await planRecipe(recipe, { runsFolder })
  const disk = await estimateDisk(recipe, runsFolder)
  if (options.json) {
    const { name, folder, stages, warnings } = plan
    console.log(JSON.stringify({ type: 'plan', name, folder, stages, warnings, disk }))
    return
  }
  const bytes = new Map(disk.stages.map(({ id, bytes }) => [id, bytes]))
  console.log(`${plan.name}, in ${plan.folder}`)
  for (const warning of plan.warnings) console.log(`warning: ${warning}`)
  const rows = plan.stages.map(({ id, title, state, reasons }) => [
    id,
    stateWords[state],
    bytes.has(id) ? formatBytes(bytes.get(id) ?? 0) : '',
    reasons.length > 0 ? reasons.join('; ') : title,
  ])
  for (const line of table(['stage', 'state', 'disk', 'why, or what'], rows)) console.log(line)
  console.log(`Disk: up to ${formatBytes(disk.bytes)} for weights; ${formatBytes(disk.freeBytes)} are free.`)
}

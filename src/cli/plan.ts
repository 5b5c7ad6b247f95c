// The plan of a run, for --dry-run: every stage with its state and reason, the time and disk it will need.
import { formatBytes, formatDuration } from '../base/format.ts'
import { findAbsent } from '../pipeline/absent.ts'
import { estimateDisk } from '../pipeline/disk.ts'
import { diagnose } from '../pipeline/doctor/diagnose.ts'
import type { RunEstimate } from '../pipeline/doctor/estimate.ts'
import type { Finding } from '../pipeline/doctor/finding.ts'
import { outlook } from '../pipeline/outlook.ts'
import { planRecipe } from '../pipeline/run.ts'
import { findStates } from '../pipeline/states.ts'
import type { LoadedRecipe } from '../recipe/recipe.ts'
import { describeReasons } from './displays/wording.ts'
import { describeDisk, showOutlook, stateWords } from './outlook.ts'
import { table } from './table.ts'

/** Prints what would run; nothing is written. */
export async function showPlan(
  loaded: LoadedRecipe,
  runsFolder: string,
  options: { json: boolean; price?: number | undefined },
): Promise<void> {
  const { recipe } = loaded
  // What is elsewhere can be neither looked at nor measured here.
  if (
    recipe.engine.kind === 'cluster' ||
    (await findAbsent(recipe, runsFolder)).some(({ setting }) => setting !== 'model')
  ) {
    const states = await findStates(recipe, runsFolder)
    const disk = await estimateDisk(recipe, states, runsFolder)
    showOutlook(recipe.name, await outlook(recipe, runsFolder), { ...options, states, disk })
    return
  }
  const { name, folder, stages, warnings } = await planRecipe(recipe, { runsFolder })
  const disk = await estimateDisk(recipe, new Map(stages.map(({ id, state }) => [id, state])), runsFolder)
  const { estimate, problems } = await examine(loaded, runsFolder)
  const times = new Map((estimate?.stages ?? []).map((one) => [one.id, one.seconds]))
  if (options.json) {
    const seconds = Object.fromEntries(times)
    console.log(JSON.stringify({ type: 'plan', name, folder, stages, warnings, disk, seconds, problems }))
    return
  }
  const bytes = new Map((disk?.stages ?? []).map((one) => [one.id, one.bytes]))
  console.log(`${name}, in ${folder}`)
  for (const warning of warnings) console.log(`warning: ${warning}`)
  for (const { severity, message } of problems) console.log(`${severity}: ${message}`)
  const rows = stages.map(({ id, title, state, reasons }) => [
    id,
    stateWords[state],
    times.has(id) ? formatDuration(times.get(id) ?? 0) : '',
    bytes.has(id) ? formatBytes(bytes.get(id) ?? 0) : '',
    reasons.length > 0 ? describeReasons(reasons) : title,
  ])
  for (const line of table(['stage', 'state', 'time', 'disk', 'why, or what'], rows)) console.log(line)
  const seconds = [...times.values()].reduce((sum, one) => sum + one, 0)
  if (estimate !== undefined) console.log(`Time: about ${formatDuration(seconds)} at most, reading and grading apart.`)
  if (disk !== undefined) console.log(describeDisk(disk))
}

async function examine(loaded: LoadedRecipe, runsFolder: string) {
  const problems: Finding[] = []
  const findings = diagnose(loaded, runsFolder)
  let estimate: RunEstimate | undefined
  for (;;) {
    const { done, value } = await findings.next()
    if (done) estimate = value
    else if (value.severity !== 'good') problems.push(value)
    if (done) return { estimate, problems }
  }
}

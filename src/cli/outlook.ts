// The plan of a run whose model, texts or GPUs are elsewhere, for --dry-run: where each stage runs, and what it takes there.
import { formatBytes, formatCount, formatDuration } from '../base/format.ts'
import type { DiskNeed } from '../pipeline/disk.ts'
import type { Outlook } from '../pipeline/outlook.ts'
import type { StageState } from '../pipeline/plan.ts'
import { table } from './table.ts'

export const stateWords: Record<StageState, string> = {
  done: 'done',
  changed: 'runs again',
  interrupted: 'goes on',
  new: 'runs',
}

export interface OutlookOptions {
  json: boolean
  /** Of a GPU hour, in whatever currency. */
  price?: number | undefined
  states: ReadonlyMap<string, StageState>
  disk: DiskNeed | undefined
}

/** Prints an outlook; what is done already stands in it, and counts no more. */
export function showOutlook(name: string, plan: Outlook, { json, price, states, disk }: OutlookOptions): void {
  const stages = plan.stages.map((stage) => ({ ...stage, state: states.get(stage.id) ?? ('new' as const) }))
  const left = stages.filter(({ state }) => state !== 'done')
  const seconds = left.reduce((sum, stage) => sum + (stage.seconds ?? 0), 0)
  const gpuHours = left.reduce((sum, stage) => sum + (stage.gpuHours ?? 0), 0)
  const cost = price === undefined ? undefined : gpuHours * price
  if (json) {
    const line = { type: 'outlook', name, ...plan, stages, seconds, gpuHours, ...(disk !== undefined && { disk }) }
    console.log(JSON.stringify({ ...line, ...(cost !== undefined && { cost }) }))
    return
  }
  console.log(name)
  for (const { setting, path } of plan.absent) console.log(`absent: ${setting}: ${path} is not on this machine`)
  for (const message of plan.unknown) console.log(`unknown: ${message}`)
  const rows = stages.map(({ id, state, place, tokens, memoryBytes, seconds, gpuHours }) => [
    id,
    stateWords[state],
    place,
    tokens === undefined ? '' : formatCount(tokens),
    memoryBytes === undefined ? '' : formatBytes(memoryBytes),
    seconds === undefined ? '' : formatDuration(seconds),
    gpuHours === undefined ? '' : gpuHours.toFixed(1),
    ...(price === undefined ? [] : [gpuHours === undefined ? '' : (gpuHours * price).toFixed(2)]),
  ])
  const paid = price === undefined ? [] : ['cost']
  const head = ['stage', 'state', 'where', 'tokens', 'a GPU', 'time', 'GPU hours', ...paid]
  for (const line of table(head, rows)) console.log(line)
  for (const { id, arithmetic } of left) if (arithmetic !== undefined) console.log(`${id}: ${arithmetic}`)
  if (plan.hereBytes !== undefined) console.log(`Memory: about ${formatBytes(plan.hereBytes)} at most, here.`)
  if (disk !== undefined) console.log(describeDisk(disk))
  const costs = cost === undefined ? '' : `, ${cost.toFixed(2)} at ${price} an hour`
  const what = left.length < stages.length ? 'What is left takes' : 'Together'
  console.log(
    `${what} at most ${formatDuration(seconds)}, ${gpuHours.toFixed(1)} GPU hours${costs}; rates are assumptions.`,
  )
}

export function describeDisk({ bytes, freeBytes }: DiskNeed): string {
  return `Disk: up to ${formatBytes(bytes)} for weights; ${formatBytes(freeBytes)} are free.`
}

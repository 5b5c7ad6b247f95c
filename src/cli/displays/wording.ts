// What the live and the plain display say about a run, in words.
import { formatCount, formatDuration, formatPercent } from '../../base/format.ts'
import type { RunEvent } from '../../base/progress.ts'
import { type StageState, secondsLeft } from './run-state.ts'

type EventOf<Type extends RunEvent['type']> = Extract<RunEvent, { type: Type }>

/** Where the run stands before it starts: what is kept, what goes on, what runs again and why. */
export function describeStart({ name, folder, stages }: EventOf<'run-start'>): string[] {
  const inState = (wanted: string) => stages.filter(({ state }) => state === wanted)
  const kept = inState('done').length
  const lines = [`meikai ${name}, in ${folder}: ${stages.length} stages${kept === 0 ? '' : `, ${kept} of them done`}`]
  const interrupted = inState('interrupted')
  if (interrupted.length > 0) lines.push(`goes on where it stopped: ${listIds(interrupted)}`)
  const changed = inState('changed')
  if (changed.length > 0) {
    const causes = new Set(changed.flatMap(({ reasons = [] }) => ownReasons(reasons)))
    lines.push(`changed: ${[...causes].join('; ')}`, `runs again: ${listIds(changed)}`)
  }
  return lines
}

/** Why a stage runs again, in short: its own reasons, or the first stage that it waits for. */
export function describeReasons(reasons: readonly string[]): string {
  const own = ownReasons(reasons)
  if (own.length > 0) return own.join('; ')
  const more = reasons.length > 1 ? `, and ${reasons.length - 1} more` : ''
  return `${reasons[0] ?? ''}${more}`
}

/** Reasons that are not only that a stage before it runs. */
function ownReasons(reasons: readonly string[]): string[] {
  return reasons.filter((reason) => !reason.endsWith(' runs first'))
}

function listIds(stages: readonly { id: string }[]): string {
  return stages.map(({ id }) => id).join(', ')
}

/** '3/14 pretrain  52.1 s  what came out'. */
export function describeEnd(
  { stage, seconds, kept, summary }: EventOf<'stage-end'>,
  stages: readonly string[],
): string {
  const time = kept ? 'kept' : formatDuration(seconds)
  return `${place(stages.indexOf(stage) + 1, stages.length)} ${stage}  ${time}  ${summary}`
}

export function describeFinish({ seconds, report }: EventOf<'run-end'>): string {
  return `done in ${formatDuration(seconds)}${report === undefined ? '' : `. The report: ${report}`}`
}

export function place(number: number, count: number): string {
  return `${String(number).padStart(String(count).length)}/${count}`
}

/** 'step 412 of 1,100 (37 %) · 18 s left · loss 1.234 · 24,300 tokens/s · held-out 1.301', as far as it is known. */
export function describeProgress(stage: StageState, now: number): string {
  if (stage.server !== undefined) return describeWait(stage.server, now)
  const parts: string[] = []
  if (stage.total > 0) parts.push(`${describeCount(stage)} (${formatPercent(stage.done / stage.total, 0)})`)
  const left = secondsLeft(stage, now)
  parts.push(left === undefined ? formatDuration(now - stage.startedAt) : `${formatDuration(left)} left`)
  if (stage.loss !== undefined) parts.push(`loss ${stage.loss.toFixed(3)}`)
  if (stage.tokensPerSecond !== undefined) parts.push(`${formatCount(stage.tokensPerSecond)} tokens/s`)
  for (const [set, loss] of Object.entries(stage.heldOut)) parts.push(`${set} ${loss.toFixed(3)}`)
  if (stage.note !== undefined) parts.push(stage.note)
  return parts.join(' · ')
}

/** 'waits for the server of run/cpt · 1 min 20 s · what its log says last' */
function describeWait({ serves, isQueued, since, said }: NonNullable<StageState['server']>, now: number): string {
  const queued = isQueued ? ["in Slurm's queue"] : []
  const words = said === undefined ? [] : [said]
  return [`waits for the server of ${serves}`, formatDuration(now - since), ...queued, ...words].join(' · ')
}

function describeCount({ done, total, unit }: StageState): string {
  const count = `${formatCount(done)} of ${formatCount(total)}`
  return unit === 'steps' ? `step ${count}` : `${count} ${unit}`
}

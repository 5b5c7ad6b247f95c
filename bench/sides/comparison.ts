// Sides that do the same work in turn, what each reached, and how they stand to each other and to what was aimed at.
import { formatBytes } from '../../src/base/format.ts'
import { type Program, runProgram } from './side.ts'

export interface Side {
  /** Short name, for --sides. */
  key: string
  /** What it is, in the table. */
  name: string
  /** Undefined where it is not installed; then `missing` says so. */
  program: Program | undefined
  job: object
  missing?: string
}

/** Numbers of one run of a side. */
export interface Reply {
  /** In the comparison's unit, one a step. */
  values: number[]
  /** What should stand in the table besides. */
  note?: string
}

export interface Goal {
  of: 'speed' | 'memory'
  ours: string
  /** The best of these is what counts. */
  against: string[]
  /** Speed: at least this many times theirs. Memory: at most this share of theirs. */
  factor: number
  words: string
}

export interface Comparison {
  key: string
  work: string
  unit: string
  /** Whether a larger number is a better one. */
  more: boolean
  sides: Side[]
  goals: Goal[]
  /** Measured steps of a run, after warm ones. */
  measured: string
}

export interface SideResult {
  side: Side
  /** One number a run: the median of its steps. */
  runs: number[]
  peakBytes: number | undefined
  note: string
}

/** Runs all sides of a comparison in turn, `runs` times; a side that fails is left out from then on, with its reason. */
export async function compare(
  comparison: Comparison,
  runs: number,
  say: (line: string) => void,
  through: readonly string[] = [],
): Promise<SideResult[]> {
  const results = comparison.sides.map(
    (side): SideResult => ({
      side,
      runs: [],
      peakBytes: undefined,
      note: side.program === undefined ? (side.missing ?? 'not there') : '',
    }),
  )
  for (let run = 1; run <= runs; run++) {
    for (const result of results) {
      if (result.side.program === undefined || result.runs.length < run - 1) continue
      try {
        const { reply, peakBytes } = await runProgram<Reply>(
          startThrough(through, result.side.program),
          result.side.job,
        )
        result.runs.push(median(reply.values))
        if (peakBytes !== undefined) result.peakBytes = Math.max(result.peakBytes ?? 0, peakBytes)
        if (reply.note !== undefined) result.note = reply.note
        const shown = `${format(median(reply.values))} ${comparison.unit}`
        say(`  run ${run} of ${runs}, ${result.side.name}: ${shown}, ${showBytes(peakBytes)}`)
      } catch (error) {
        const reason = (error as Error).message.trim().split('\n')
        say(`  run ${run} of ${runs}, ${result.side.name} failed: ${reason.join('\n    ')}`)
        result.note = `failed: ${reason.at(-1)}`
      }
    }
  }
  return results
}

function startThrough(through: readonly string[], program: Program): Program {
  const [command, ...args] = [...through, program.command, ...program.args] as [string, ...string[]]
  return { ...program, command, args }
}

export const head = (unit: string) => ['', `${unit}, median (least to most)`, 'our speed over it', 'peak memory', '']

/** A row a side: its speed, ours over it (the median over runs, least and most), its memory. Ours is the first side. */
export function describeSides({ more }: Comparison, results: readonly SideResult[]): string[][] {
  const ours = results[0]?.runs ?? []
  return results.map(({ side, runs, peakBytes, note }, i) => [
    side.name,
    spread(runs),
    i === 0 ? '' : spread(ratios(ours, runs, more)),
    showBytes(peakBytes),
    note,
  ])
}

/** A line a goal: how far it is reached. */
export function describeGoals({ goals, more }: Comparison, results: readonly SideResult[]): string[] {
  const find = (key: string) => results.find(({ side }) => side.key === key)
  return goals.map(({ of, ours: key, against, factor, words }) => {
    const ours = find(key)
    const others = against.map(find).filter((one) => one !== undefined && one.runs.length > 0) as SideResult[]
    if (ours === undefined || ours.runs.length === 0 || others.length === 0) return `goal ${words}: not measured`
    const reached =
      of === 'speed'
        ? Math.min(...others.map(({ runs }) => median(ratios(ours.runs, runs, more))))
        : (ours.peakBytes ?? Number.NaN) / Math.min(...others.map(({ peakBytes }) => peakBytes ?? Number.NaN))
    const met = of === 'speed' ? reached >= factor : reached <= factor
    const absent = against.length - others.length
    const open = absent === 0 ? '' : `, ${absent} of ${against.length} not measured`
    return `goal ${words}: ${met ? 'reached' : 'NOT reached'}, ${reached.toFixed(2)}${open}`
  })
}

function ratios(ours: readonly number[], theirs: readonly number[], more: boolean): number[] {
  return theirs
    .slice(0, ours.length)
    .map((value, i) => (more ? (ours[i] ?? Number.NaN) / value : value / (ours[i] ?? Number.NaN)))
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  if (sorted.length % 2 === 1) return sorted[middle] ?? Number.NaN
  return ((sorted[middle - 1] ?? Number.NaN) + (sorted[middle] ?? Number.NaN)) / 2
}

function spread(values: readonly number[]): string {
  if (values.length === 0) return ''
  const middle = format(median(values))
  return values.length === 1 ? middle : `${middle} (${format(Math.min(...values))} to ${format(Math.max(...values))})`
}

const format = (value: number) => (value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2))
const showBytes = (bytes: number | undefined) => (bytes === undefined ? '' : formatBytes(bytes))

// What a bench with comparisons prints and records: its arguments, tables, and how far goals are reached.
import { parseArgs } from 'node:util'
import { UserError } from '../../src/base/errors.ts'
import { table } from '../../src/cli/table.ts'
import { type Comparison, compare, describeGoals, describeSides, head, type SideResult } from './comparison.ts'
import { appendTable, describeMachine, today } from './record.ts'

interface Settings {
  runs: string
  sides?: string | undefined
  /** A command that each side is started by, such as one that waits until the machine is quiet. */
  through?: string | undefined
}

/** The command's rows (all, where none is named) and settings; `defaults` are those that it has besides --runs, --sides and --through. */
export function readArguments<Names extends string>(rows: readonly string[], defaults: Record<Names, string>) {
  const options = Object.fromEntries(
    [...Object.entries<string>(defaults), ['runs', '3'] as const].map(([name, value]) => [
      name,
      { type: 'string' as const, default: value },
    ]),
  )
  const { values, positionals } = parseArgs({
    args: process.argv.slice(2),
    allowPositionals: true,
    options: { ...options, sides: { type: 'string' as const }, through: { type: 'string' as const } },
  })
  const unknown = positionals.find((row) => !rows.includes(row))
  if (unknown !== undefined) throw new UserError(`no row ${unknown}. There are ${rows.join(', ')}.`)
  return {
    chosen: positionals.length === 0 ? rows : positionals,
    settings: values as unknown as Record<Names, string> & Settings,
  }
}

/** Makes and runs the comparisons one by one, prints their tables, and adds them to docs/benchmarks.md where they are `recorded`. */
export async function presentComparisons(
  bench: string,
  makers: readonly (() => Promise<Comparison>)[],
  { runs, sides, through }: Settings,
  options: {
    recorded: boolean
    /** What all comparisons of this run have in common, behind what is measured. */
    condition?: string
    /** Lines to add under a comparison's table. */
    after?: (comparison: Comparison, results: readonly SideResult[]) => Promise<string[]>
  },
): Promise<void> {
  const machine = await describeMachine(through === undefined)
  console.log(machine)
  for (const make of makers) {
    const made = await make()
    const comparison = sides === undefined ? made : keepSides(made, sides.split(','))
    const how = `${comparison.measured}${options.condition ?? ''}, ${runs} run${runs === '1' ? '' : 's'} in turn`
    console.log(`\n${comparison.work}: ${how}`)
    const results = await compare(comparison, Number(runs), (line) => console.log(line), through?.split(' '))
    const rows = describeSides(comparison, results)
    const lines = [...describeGoals(comparison, results), ...((await options.after?.(comparison, results)) ?? [])]
    console.log()
    for (const line of table(head(comparison.unit), rows)) console.log(line)
    for (const line of lines) console.log(line)
    if (!options.recorded) continue
    await appendTable(
      `${today()}, \`npm run bench -- ${bench} ${comparison.key}\``,
      `${comparison.work}; ${how}. ${machine}.`,
      { head: head(comparison.unit), rows, lines: lines.map((line) => `- ${line}`) },
    )
  }
}

function keepSides(comparison: Comparison, keys: readonly string[]): Comparison {
  const known = comparison.sides.map(({ key }) => key)
  const unknown = keys.find((key) => !known.includes(key))
  if (unknown !== undefined)
    throw new UserError(`${comparison.key} has no side ${unknown}. There are ${known.join(', ')}.`)
  return { ...comparison, sides: comparison.sides.filter(({ key }) => keys.includes(key)) }
}

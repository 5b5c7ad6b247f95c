// The texts of --help: all commands, or one with its arguments, options and examples.
import type { ArgDef, ArgsDef } from 'citty'
import type { AnyCommand } from './commands.ts'

/** meikai --help. */
export function describeCommands(version: string, commands: readonly AnyCommand[]): string {
  return [
    `meikai ${version}: turn an open-weight language model into a specialist that stays right when it explains itself.`,
    '',
    'Usage: meikai COMMAND ...',
    '',
    'Commands:',
    ...columns(commands.map(({ meta }) => [meta.name, meta.description])),
    '',
    'Examples:',
    ...columns(commands.map(({ examples }) => [examples[0].line, examples[0].purpose])),
    '',
    'More: meikai COMMAND --help. Exit status: 0 done, 1 it failed, 2 wrong use, 130 interrupted.',
  ].join('\n')
}

/** meikai COMMAND --help. */
export function describeCommand({ meta, args, examples }: AnyCommand): string {
  const entries = Object.entries(args as ArgsDef)
  const places = entries.filter(([, { type }]) => type === 'positional')
  const options = entries.filter(([, { type }]) => type !== 'positional')
  const usage = places.map(([name, { required }]) =>
    required === false ? ` [${name.toUpperCase()}]` : ` ${name.toUpperCase()}`,
  )
  return [
    `meikai ${meta.name}: ${meta.description}.`,
    '',
    `Usage: meikai ${meta.name}${usage.join('')} [OPTIONS]`,
    ...section(
      'Arguments:',
      places.map(([name, argument]) => [name.toUpperCase(), meaning(argument)]),
    ),
    ...section('Options:', [
      ...options.map(([name, argument]): [string, string] => [`--${name}${valueHint(argument)}`, meaning(argument)]),
      ['--help', 'Show this'],
    ]),
    ...section(
      'Examples:',
      examples.map(({ line, purpose }) => [line, purpose]),
    ),
  ].join('\n')
}

function section(title: string, rows: [string, string][]): string[] {
  return rows.length === 0 ? [] : ['', title, ...columns(rows)]
}

function columns(rows: [string, string][]): string[] {
  const width = Math.max(...rows.map(([left]) => left.length))
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`)
}

function meaning({ description = '', default: byDefault }: ArgDef): string {
  return byDefault === undefined ? description : `${description} (default: ${byDefault})`
}

function valueHint(argument: ArgDef): string {
  return argument.type === 'string' || argument.type === 'enum' ? ` ${argument.valueHint ?? 'VALUE'}` : ''
}

// Reading arguments strictly: an option that a command does not know is an error that suggests the near one.
import { parseArgs as tokenize } from 'node:util'
import { type ArgsDef, parseArgs } from 'citty'
import { messageOf, UserError } from '../base/errors.ts'
import { nearest } from '../base/nearest.ts'
import type { AnyCommand } from './commands.ts'

/**
 * The values of a command's arguments.
 * @throws UserError (status 2) on an unknown option, a missing value, too few or too many arguments.
 */
export function readArguments(command: AnyCommand, rawArguments: string[]) {
  const { name } = command.meta
  const known = command.args as ArgsDef
  const refuse = (what: string): never => {
    throw new UserError(`${what} See: meikai ${name} --help`, { status: 2 })
  }
  let positionals = 0
  for (const token of tokensOf(rawArguments, known)) {
    if (token.kind === 'positional') positionals++
    if (token.kind !== 'option') continue
    const argument = known[token.name]
    if (argument === undefined || argument.type === 'positional') {
      const near = nearest(token.name, optionNames(known))
      const hint = near === undefined ? '' : ` Did you mean --${near}?`
      refuse(`${name}: no option ${token.rawName}.${hint}`)
    }
    const wantsValue = argument?.type === 'string' || argument?.type === 'enum'
    if (wantsValue && (token.value === undefined || token.value === ''))
      refuse(`${name}: ${token.rawName} needs a value.`)
    if (!wantsValue && token.value !== undefined) refuse(`${name}: ${token.rawName} takes no value.`)
  }
  const places = Object.entries(known).filter(([, { type }]) => type === 'positional')
  const missing = places.filter(([, { required }]) => required !== false).slice(positionals)[0]
  if (missing !== undefined)
    refuse(`${name}: ${missing[0].toUpperCase()} is missing (${lowerFirst(missing[1].description)}).`)
  if (positionals > places.length) refuse(`${name}: ${positionals} arguments, where ${places.length} can stand.`)
  try {
    return parseArgs(rawArguments, known)
  } catch (error) {
    return refuse(`${name}: ${messageOf(error)}`)
  }
}

/** Every value of an option that may stand several times. */
export function repeatedValues(rawArguments: string[], known: ArgsDef, name: string): string[] {
  return tokensOf(rawArguments, known).flatMap((token) =>
    token.kind === 'option' && token.name === name && token.value !== undefined ? [token.value] : [],
  )
}

function tokensOf(rawArguments: string[], known: ArgsDef) {
  const options = Object.fromEntries(
    Object.entries(known)
      .filter(([, { type }]) => type !== 'positional')
      .map(([name, { type }]) => [name, { type: type === 'boolean' ? ('boolean' as const) : ('string' as const) }]),
  )
  return tokenize({ args: rawArguments, options, allowPositionals: true, strict: false, tokens: true }).tokens
}

export function optionNames(known: ArgsDef): string[] {
  return [...Object.keys(known).filter((name) => known[name]?.type !== 'positional'), 'help']
}

function lowerFirst(text = ''): string {
  return text.charAt(0).toLowerCase() + text.slice(1)
}

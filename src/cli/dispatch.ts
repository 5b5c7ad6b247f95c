// From arguments to a command: finds it, reads its arguments, turns what is thrown into a message and an exit status.
import { createRequire } from 'node:module'
import { isSystemError, messageOf, UserError } from '../base/errors.ts'
import { nearest } from '../base/nearest.ts'
import { readArguments } from './arguments.ts'
import { type AnyCommand, commands } from './commands.ts'
import { describeCommand, describeCommands } from './help.ts'

/** Carries out what the arguments ask for; prints what goes wrong. Returns the exit status: 0 done, 1 it failed, 2 wrong use. */
export async function runCommandLine(rawArguments: string[]): Promise<number> {
  try {
    return await dispatch(rawArguments)
  } catch (error) {
    return report(error, rawArguments.includes('--json'))
  }
}

async function dispatch([name, ...rest]: string[]): Promise<number> {
  if (name === '--version') {
    console.log(version())
    return 0
  }
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    const all = await Promise.all(Object.values(commands).map((load) => load()))
    console.log(describeCommands(version(), all))
    return name === undefined ? 2 : 0
  }
  const command = await loadCommand(name)
  if (rest.includes('--help') || rest.includes('-h')) {
    console.log(describeCommand(command))
    return 0
  }
  return command.run({ args: readArguments(command, rest), rawArgs: rest, cmd: command })
}

function loadCommand(name: string): Promise<AnyCommand> {
  const load = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (load !== undefined) return load()
  const isOption = name.startsWith('-')
  const near = isOption ? nearest(name.replace(/^-+/, ''), ['help', 'version']) : nearest(name, Object.keys(commands))
  const hint = near === undefined ? '' : ` Did you mean ${isOption ? '--' : ''}${near}?`
  throw new UserError(`no ${isOption ? 'option' : 'command'} ${name}.${hint} See: meikai --help`, { status: 2 })
}

/** A message where the user can mend it, a stack where only we can. */
function report(error: unknown, asJson: boolean): number {
  const status = error instanceof UserError ? error.status : 1
  if (asJson) console.log(JSON.stringify({ type: 'error', message: messageOf(error), status }))
  if (error instanceof UserError) {
    console.error(`meikai: ${error.message}`)
  } else if (isSystemError(error)) {
    console.error(`meikai: the system refused: ${error.message}. Look at the path and its permissions, and run again.`)
  } else {
    const stack = error instanceof Error ? (error.stack ?? error.message) : String(error)
    console.error(`meikai: this is a fault of meikai itself, please report it.\n${stack}`)
  }
  return status
}

function version(): string {
  return (createRequire(import.meta.url)('../../package.json') as { version: string }).version
}

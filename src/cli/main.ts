// The command line's entry: finds the command, reads its arguments, turns what is thrown into a message and an exit status.
import { createRequire } from 'node:module'
import { messageOf, UserError } from '../base/errors.ts'
import { nearest } from '../base/nearest.ts'
import { readArguments } from './arguments.ts'
import { commands } from './commands.ts'
import { describeCommand, describeCommands } from './help.ts'

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0) // the reader has seen enough, as in `meikai ... | head`
  throw error
})

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  process.exitCode = report(error, process.argv.includes('--json'))
}

/** Runs what the arguments ask for; returns the exit status. */
async function main(rawArguments: string[]): Promise<number> {
  const [name, ...rest] = rawArguments
  if (name === '--version') {
    console.log(version())
    return 0
  }
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    const all = await Promise.all(Object.values(commands).map((load) => load()))
    console.log(describeCommands(version(), all))
    return name === undefined ? 2 : 0
  }
  if (!Object.hasOwn(commands, name)) {
    const what = name.startsWith('-') ? 'option' : 'command'
    const near = nearest(name.replace(/^-+/, ''), what === 'command' ? Object.keys(commands) : ['help', 'version'])
    const hint = near === undefined ? '' : ` Did you mean ${what === 'command' ? near : `--${near}`}?`
    throw new UserError(`no ${what} ${name}.${hint} See: meikai --help`, { status: 2 })
  }
  const command = await (commands[name] as () => ReturnType<(typeof commands)[string]>)()
  if (rest.includes('--help') || rest.includes('-h')) {
    console.log(describeCommand(command))
    return 0
  }
  const args = readArguments(command, rest)
  return (await command.run({ args, rawArgs: rest, cmd: command })) ?? 0
}

/** Tells the user what went wrong: a message where they can mend it, a stack where only we can. */
function report(error: unknown, asJson: boolean): number {
  const status = error instanceof UserError ? error.status : 1
  if (asJson) console.log(JSON.stringify({ type: 'error', message: messageOf(error), status }))
  if (error instanceof UserError) {
    console.error(`meikai: ${error.message}`)
  } else {
    console.error(`meikai: this is a fault of meikai itself, please report it:\n${(error as Error)?.stack ?? error}`)
  }
  return status
}

function version(): string {
  return (createRequire(import.meta.url)('../../package.json') as { version: string }).version
}

// The command line's entry.
import { constants } from 'node:os'
import { runCommandLine } from './dispatch.ts'

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(128 + constants.signals.SIGPIPE) // the reader has seen enough: `meikai ... | head`
  console.error(`meikai: standard output cannot be written (${error.message}).`)
  process.exit(1)
})
process.stderr.on('error', () => {}) // nobody is left to be told

process.exitCode = await runCommandLine(process.argv.slice(2))

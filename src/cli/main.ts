// The command line's entry.
import { runCommandLine } from './dispatch.ts'

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0) // the reader has seen enough, as in `meikai ... | head`
  throw error
})

process.exitCode = await runCommandLine(process.argv.slice(2))

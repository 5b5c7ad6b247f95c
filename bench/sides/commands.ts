// Whole commands beside each other: their times in turn, the start of Node included.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** The command line's entry. */
export const meikai = fileURLToPath(new URL('../../bin/meikai.js', import.meta.url))

/** Milliseconds of each run of `node ARGUMENTS`, by the commands' names; the commands take turns. Throws where one fails. */
export function timeCommands(commands: Record<string, readonly string[]>, runs: number): Map<string, number[]> {
  const times = new Map<string, number[]>(Object.keys(commands).map((name) => [name, []]))
  for (let run = 0; run < runs; run++) {
    for (const [name, args] of Object.entries(commands)) {
      const start = performance.now()
      const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
      times.get(name)?.push(performance.now() - start)
      if (status !== 0) throw new Error(`${name} ended with status ${status}: ${stderr}`)
    }
  }
  return times
}

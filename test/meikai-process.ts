// meikai as its users run it: a process of its own, which can be killed with all that is in its group.
import { type ChildProcessByStdio, spawn, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import type { Readable } from 'node:stream'

const root = join(import.meta.dirname, '..')
const main = ['--import', 'tsx', join(root, 'src/cli/main.ts')]

/** Runs a command to its end. */
export function meikai(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [...main, ...args], { cwd: root, encoding: 'utf8' })
}

export interface MeikaiProcess {
  child: ChildProcessByStdio<null, Readable, Readable>
  /** Its exit status once it has ended, or the signal that ended it; what it said until then. */
  ended: Promise<{ status: number | NodeJS.Signals | null; stdout: string; stderr: string }>
  /** Waits until it has told of so much progress in samples or answers. @throws where it ends before. */
  progress(count: number): Promise<void>
  kill(): Promise<void>
}

/** Starts `meikai run --json` with further arguments. */
export function startRun(...args: string[]): MeikaiProcess {
  const child = spawn(process.execPath, [...main, 'run', '--json', ...args], {
    cwd: root,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text) => {
    stderr += text
  })
  const ended = new Promise<Awaited<MeikaiProcess['ended']>>((resolve) =>
    child.once('close', (status, signal) => resolve({ status: signal ?? status, stdout, stderr })),
  )
  return {
    child,
    ended,
    async progress(count) {
      const counted = () => stdout.split(/"unit":"(?:samples|answers)"/).length - 1
      while (counted() < count) {
        const more = new Promise((resolve) => child.stdout.once('data', resolve))
        const over = await Promise.race([more.then(() => undefined), ended])
        if (over !== undefined && counted() < count) throw new Error(`it ended by itself: ${over.stderr}`)
      }
    },
    async kill() {
      process.kill(-(child.pid ?? 0), 'SIGKILL')
      await ended
    },
  }
}

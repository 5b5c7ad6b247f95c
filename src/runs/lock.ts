// The lock of a run folder: one process at a time; what a dead process left is taken over.
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { hasCode, UserError } from '../base/errors.ts'
import { writeError } from '../base/files.ts'

interface Holder {
  pid: number
  host: string
  /** When the process started, in the kernel's own units: tells a reused pid from the holder. */
  started?: string
}

/**
 * Takes the lock of a folder (made where it is missing).
 * @returns what gives it back.
 * @throws UserError naming the process that holds it.
 */
export async function lockFolder(folder: string): Promise<() => Promise<void>> {
  const lock = join(folder, 'lock')
  const own: Holder = { pid: process.pid, host: hostname(), started: startOf(process.pid) }
  const mark = `${lock}.${process.pid}-${randomBytes(4).toString('hex')}`
  try {
    await mkdir(folder, { recursive: true })
    await writeFile(mark, JSON.stringify(own))
  } catch (error) {
    throw writeError(mark, error)
  }
  try {
    for (;;) {
      try {
        await link(mark, lock) // the file appears with its content or not at all
        return () => rm(lock, { force: true })
      } catch (error) {
        if (!hasCode(error, 'EEXIST')) throw error
      }
      await removeStale(lock, folder)
    }
  } finally {
    await rm(mark, { force: true })
  }
}

async function removeStale(lock: string, folder: string): Promise<void> {
  const text = await readFile(lock, 'utf8').catch((error) => {
    if (hasCode(error, 'ENOENT')) return undefined
    throw error
  })
  if (text === undefined) return
  const holder = parseHolder(text)
  if (holder === undefined || isAlive(holder)) {
    const who = holder === undefined ? 'another process' : `process ${holder.pid} on ${holder.host}`
    throw new UserError(`${folder}: in use by ${who}. Wait for it or stop it; if it is surely gone, remove ${lock}.`)
  }
  // Two processes may find the same stale lock: whoever moved a fresh one by mistake puts it back.
  const moved = `${lock}.stale-${process.pid}-${randomBytes(4).toString('hex')}`
  try {
    await rename(lock, moved)
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return
    throw error
  }
  if ((await readFile(moved, 'utf8')) !== text) await link(moved, lock).catch(() => {})
  await rm(moved, { force: true })
}

function parseHolder(text: string): Holder | undefined {
  try {
    const { pid, host, started } = JSON.parse(text) as Partial<Holder>
    return typeof pid === 'number' && typeof host === 'string' ? { pid, host, started } : undefined
  } catch {
    return undefined
  }
}

function isAlive(holder: Holder): boolean {
  if (holder.host !== hostname()) return true // cannot be seen from here
  try {
    process.kill(holder.pid, 0)
  } catch (error) {
    return !hasCode(error, 'ESRCH')
  }
  return holder.started === startOf(holder.pid)
}

/** The start time of a process, where the system shows it (Linux: field 22 of /proc/<pid>/stat). */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
  } catch {
    return undefined
  }
}

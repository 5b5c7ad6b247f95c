// The lock of a run folder: one process at a time; what a dead process left is taken over.
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { hasCode, UserError } from '../base/errors.ts'
import { hashJson, writeError } from '../base/files.ts'

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
    throw writeError(folder, error)
  }
  const unlock = () => rm(lock, { force: true })
  try {
    for (;;) {
      try {
        await link(mark, lock) // the file appears with its content or not at all
        return unlock
      } catch (error) {
        if (!hasCode(error, 'EEXIST')) throw error
      }
      const left = await readLeft(lock, folder)
      if (left !== undefined && (await takeOver(lock, left, mark))) return unlock
    }
  } finally {
    await rm(mark, { force: true })
  }
}

/** What a dead process left in the lock; undefined when it is gone by now. A live holder is a UserError. */
async function readLeft(lock: string, folder: string): Promise<string | undefined> {
  const text = await readIfThere(lock)
  if (text === undefined) return undefined
  const holder = parseHolder(text)
  if (holder !== undefined && !isAlive(holder)) return text
  const who = holder === undefined ? 'another process' : `process ${holder.pid} on ${holder.host}`
  throw new UserError(`${folder}: in use by ${who}. Wait for it or stop it; if it is surely gone, remove ${lock}.`)
}

/**
 * Puts our mark in the place of a dead process's lock. Several may find the same dead lock: only the one who holds the
 * claim on it replaces it, and looks first whether it is still the same, so a fresh lock is never replaced.
 */
async function takeOver(lock: string, left: string, mark: string): Promise<boolean> {
  const claim = `${lock}.over-${hashJson(left).slice(0, 16)}`
  try {
    await link(mark, claim)
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error
    const claimant = parseHolder((await readIfThere(claim)) ?? '')
    if (claimant !== undefined && !isAlive(claimant)) await rm(claim, { force: true })
    else await setTimeout(10)
    return false
  }
  try {
    if ((await readIfThere(lock)) !== left) return false
    await rename(mark, lock)
    return true
  } finally {
    await rm(claim, { force: true })
  }
}

function readIfThere(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch((error) => {
    if (hasCode(error, 'ENOENT')) return undefined
    throw error
  })
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

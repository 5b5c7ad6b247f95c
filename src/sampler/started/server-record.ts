// What meikai knows of a run's server, in the run's folder: what it serves, where it runs, how it ended. Other commands read it too.
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { UserError } from '../../base/errors.ts'
import { readJson, writeJson } from '../../base/files.ts'
import type { JobHandle } from '../../engine/cluster/launcher.ts'
import type { ServerSurroundings } from './surroundings.ts'

/** Below a run's folder. */
export const serverFolder = 'server'
const recordName = 'server.json'

export interface ServerRecord {
  /** For people and for Slurm. */
  name: string
  /** Hash of all that decides what is served and how: another one means another server. */
  key: string
  /** The name that the model is served under. */
  serves: string
  /** How often a server was started; the last start's folder is start-<n>. */
  starts: number
  startedAt: string
  place: JobHandle['place']
  /** Absent until it was started: found so, its script may run all the same. */
  handle?: JobHandle
  /** Why it is there no longer: the run has no use for it, or somebody asked for its end. */
  ended?: 'done' | 'cancelled'
}

/** The record, with the handle of a server whose start was never written down. */
export async function readServerRecord(
  folder: string,
  { launchers }: Pick<ServerSurroundings, 'launchers'>,
): Promise<ServerRecord | undefined> {
  const names: string[] = await readdir(folder).catch(() => [])
  if (!names.includes(recordName)) return undefined
  const record = (await readJson(join(folder, recordName))) as ServerRecord
  const handle = record.handle ?? (await launchers[record.place].find(startFolder(folder, record.starts)))
  return handle === undefined ? record : { ...record, handle }
}

export function writeServerRecord(folder: string, record: ServerRecord): Promise<void> {
  return writeJson(join(folder, recordName), record)
}

export function startFolder(folder: string, start: number): string {
  return join(folder, `start-${start}`)
}

/** A small file that a server's script writes whole; undefined where it is not there yet. */
export async function readNote<Note>(path: string): Promise<Note | undefined> {
  try {
    return (await readJson(path)) as Note
  } catch (error) {
    if (error instanceof UserError) return undefined
    throw error
  }
}

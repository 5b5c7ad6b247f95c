// Ending a server, and what there is to say about the servers of all runs.
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type Clock, pause } from '../../base/clock.ts'
import { UserError } from '../../base/errors.ts'
import { type JobHandle, type Launcher, nameHandle, run } from '../../engine/cluster/launcher.ts'
import { readServerRecord, serverFolder, startFolder, writeServerRecord } from './server-record.ts'
import { serverFiles } from './server-script.ts'
import { realSurroundings, type ServerSurroundings } from './surroundings.ts'

/** How long a server may take to end before it is killed, and a killed one to be gone: ms. */
const stopMilliseconds = 20_000
const goneMilliseconds = 180_000
const lookMilliseconds = 200

/**
 * Ends a run's server, where there is one, and waits until no process of it is left.
 * @returns whether there was anything to end.
 * @throws UserError where it does not go.
 */
export async function endServer(
  folder: string,
  reason: 'done' | 'cancelled',
  surroundings: Pick<ServerSurroundings, 'launchers' | 'clock'> = realSurroundings,
): Promise<boolean> {
  const { launchers, clock } = surroundings
  const record = await readServerRecord(folder, surroundings)
  if (record?.handle === undefined) return false
  const { handle } = record
  const launcher = launchers[handle.place]
  if (await isGone(handle, launcher)) return false
  await writeServerRecord(folder, { ...record, ended: record.ended ?? reason })
  if (handle.place === 'here') {
    await launcher.stop(handle)
    await waitUntil(() => isGone(handle, launcher), stopMilliseconds, clock)
  }
  await launcher.kill(handle, startFolder(folder, record.starts))
  if (await waitUntil(() => isGone(handle, launcher), goneMilliseconds, clock)) return true
  const id = handle.place === 'here' ? `process ${handle.pid}` : `job ${handle.id}`
  throw new UserError(`${record.name} (${id}) does not end. End it, then run again.`)
}

/** Whether neither a server's script nor, on this machine, any process of its session is there. */
async function isGone(handle: JobHandle, launcher: Launcher): Promise<boolean> {
  if ((await launcher.state(handle)) !== 'gone') return false
  if (handle.place !== 'here') return true
  const { output } = await run('ps', ['-o', 'pid=,stat=', '-s', String(handle.pid)])
  const alive = output.split('\n').flatMap((line) => /^\s*(\d+)\s+[^Z]/.exec(line)?.[1] ?? [])
  // A number comes again only after the whole session is gone: a leader that is not the script is another's.
  return alive.length === 0 || alive.includes(String(handle.pid))
}

async function waitUntil(condition: () => Promise<boolean>, milliseconds: number, clock: Clock): Promise<boolean> {
  const end = clock.now() + milliseconds
  while (clock.now() < end) {
    if (await condition()) return true
    await pause(clock, lookMilliseconds)
  }
  return condition()
}

export interface ServerOverview {
  name: string
  /** The server's folder. */
  folder: string
  /** failed: ended without being asked to; waiting: in Slurm's queue. */
  state: 'waiting' | 'running' | 'done' | 'failed' | 'cancelled' | 'not started'
  /** '@12345' for a process, Slurm's number for a batch job. */
  id: string
  /** The name of the model that it serves. */
  serves: string
  starts: number
  log: string
}

/** The servers of all runs that started one. */
export async function listServers(runsFolder: string): Promise<ServerOverview[]> {
  const runs = await readdir(runsFolder).catch(() => [])
  const found = await Promise.all(runs.map((one) => describeServer(join(runsFolder, one, serverFolder))))
  return found.filter((one) => one !== undefined)
}

async function describeServer(folder: string): Promise<ServerOverview | undefined> {
  const record = await readServerRecord(folder, realSurroundings)
  if (record === undefined) return undefined
  const { name, serves, starts, handle, ended } = record
  const state = handle === undefined ? 'gone' : await realSurroundings.launchers[handle.place].state(handle)
  return {
    name,
    folder,
    state: state !== 'gone' ? state : handle === undefined ? 'not started' : (ended ?? 'failed'),
    id: nameHandle(handle),
    serves,
    starts,
    log: join(startFolder(folder, starts), serverFiles.log),
  }
}

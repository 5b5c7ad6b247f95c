// Cleaning a run: what finished stages left over (checkpoints, snapshots, partial work), never what others build on.
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { UserError } from '../base/errors.ts'
import { lockFolder } from './lock.ts'
import { DamagedStage, type Manifest, manifestName, measureBytes, readManifest, startedName } from './manifest.ts'
import { metricsName } from './metrics.ts'

export interface Leftover {
  /** Relative to the run's folder. */
  path: string
  bytes: number
}

/** Where a training keeps its weights of earlier steps, until they are probed. */
const snapshots = 'training/snapshots'

/**
 * What can go, largest first; with `apply` it is gone. Interrupted stages keep everything: they go on from it.
 * @throws UserError where there is no run, or another process is in it.
 */
export async function cleanRun(runFolder: string, options: { apply: boolean }): Promise<Leftover[]> {
  const stages = await listStages(runFolder)
  if (!options.apply) return findLeftovers(runFolder, stages)
  const unlock = await lockFolder(runFolder)
  try {
    const leftovers = await findLeftovers(runFolder, stages)
    for (const { path } of leftovers) await rm(join(runFolder, path), { recursive: true, force: true })
    return leftovers
  } finally {
    await unlock()
  }
}

async function listStages(runFolder: string): Promise<Map<string, Manifest>> {
  const stages = new Map<string, Manifest>()
  const entries = await readdir(runFolder, { withFileTypes: true }).catch(() => [])
  for (const entry of entries.filter((one) => one.isDirectory())) {
    const manifest = await readManifest(join(runFolder, entry.name)).catch((error) => {
      if (error instanceof DamagedStage) return null // the next run makes it again
      throw error
    })
    if (manifest !== null) stages.set(entry.name, manifest)
  }
  if (stages.size === 0) throw new UserError(`${runFolder}: holds no finished stages. Name the folder of a run.`)
  return stages
}

async function findLeftovers(runFolder: string, stages: ReadonlyMap<string, Manifest>): Promise<Leftover[]> {
  const leftovers: Leftover[] = []
  for (const [id, { outputs }] of stages) {
    const kept = [manifestName, startedName, metricsName, ...outputs.map(({ path }) => path)]
    if (!stages.has(`probe-${id}`)) kept.push(snapshots)
    for (const path of await findUnkept(join(runFolder, id), '.', kept)) {
      leftovers.push({ path: `${id}/${path}`, bytes: await measureBytes(join(runFolder, id, path)) })
    }
  }
  return leftovers.sort((a, b) => b.bytes - a.bytes)
}

/** The highest files and folders with nothing in them that is kept. */
async function findUnkept(stage: string, folder: string, kept: readonly string[]): Promise<string[]> {
  const found: string[] = []
  for (const name of (await readdir(join(stage, folder))).sort()) {
    const path = folder === '.' ? name : `${folder}/${name}`
    if (kept.includes(path)) continue
    if (kept.some((one) => one.startsWith(`${path}/`))) found.push(...(await findUnkept(stage, path, kept)))
    else found.push(path)
  }
  return found
}

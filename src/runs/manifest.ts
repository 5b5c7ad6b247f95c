// A stage's manifest: what it was made from and what it left. Written last, so that a stage is done when it is there.
import { lstat, readdir, rm, stat, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { hasCode, isSystemError, messageOf, UserError } from '../base/errors.ts'
import { hashFile, hashJson, readJson, writeJson } from '../base/files.ts'

/** The layout of run folders; a change that makes older ones unreadable raises it. */
export const runFormat = 1

const outputSchema = z.strictObject({
  /** Relative to the stage's folder, with forward slashes. */
  path: z.string(),
  bytes: z.number(),
  sha256: z.string(),
  /** When the file was last written, in ms: while it and the size are the same, the hash is taken as read. */
  modified: z.number(),
})

const manifestSchema = z.strictObject({
  format: z.number(),
  stage: z.string(),
  title: z.string(),
  /** The settings that the stage depends on. */
  settings: z.record(z.string(), z.unknown()),
  /** Hash of every file (or folder) that the recipe names and the stage reads. */
  inputs: z.record(z.string(), z.string()),
  /** Hash of the outputs of every stage that it builds on. */
  dependencies: z.record(z.string(), z.string()),
  outputs: z.array(outputSchema),
  seed: z.number(),
  threads: z.number(),
  versions: z.record(z.string(), z.string()),
  sources: z.array(
    z.strictObject({
      name: z.string(),
      role: z.string(),
      licence: z.string().optional(),
      documents: z.number().optional(),
      tokens: z.number().optional(),
    }),
  ),
  /** Every host that the stage contacted; absent where nothing left the machine. */
  hosts: z.array(z.string()).optional(),
  /** One line for people: what came out. */
  summary: z.string(),
  /** Wall seconds of the work, interrupted attempts included as far as they are known. */
  seconds: z.number(),
})

export type Manifest = z.output<typeof manifestSchema>
export type ManifestOutput = z.output<typeof outputSchema>

export const manifestName = 'manifest.json'

/** Beside it from the stage's start: what it was started with, so that partial work is used for just that. */
export const startedName = 'started.json'

/**
 * The manifest of a stage's folder; null where there is none.
 * @throws UserError where another layout of run folders wrote it, or the system does not let it be read; a DamagedStage
 * where it is no manifest.
 */
export async function readManifest(folder: string): Promise<Manifest | null> {
  const file = join(folder, manifestName)
  let value: unknown
  try {
    value = await readJson(file)
  } catch (error) {
    if (error instanceof UserError && hasCode(error.cause, 'ENOENT')) return null
    // Finished work is not damaged because it cannot be read now: too many open files, a disk that is not there.
    if (error instanceof UserError && isSystemError(error.cause)) throw error
    throw new DamagedStage(messageOf(error))
  }
  const format = (value as { format?: unknown } | null)?.format
  if (typeof format === 'number' && format !== runFormat) {
    throw new UserError(
      `${file}: written by another version of meikai (run format ${format}; this one has ${runFormat}). Use that version, or give the run another name.`,
    )
  }
  const result = manifestSchema.safeParse(value)
  if (!result.success) throw new DamagedStage(`${file}: not a manifest (${result.error.issues[0]?.path.join('.')}).`)
  return result.data
}

export async function writeManifest(folder: string, manifest: Omit<Manifest, 'format'>): Promise<void> {
  await writeJson(join(folder, manifestName), { format: runFormat, ...manifest })
}

/** A stage whose files are not what its manifest says: it is made again. */
export class DamagedStage extends Error {}

/** What stages that build on this one compare: paths and contents of its outputs, no times. */
export function hashOutputs(manifest: Pick<Manifest, 'outputs'>): string {
  return hashJson(manifest.outputs.map(({ path, sha256 }) => [path, sha256]))
}

/** Measures and hashes output files, sorted by path. `paths` are files or folders (taken whole) below `folder`. */
export async function describeOutputs(folder: string, paths: readonly string[]): Promise<ManifestOutput[]> {
  const files = (await Promise.all(paths.map((path) => listFiles(folder, path)))).flat().sort()
  const outputs: ManifestOutput[] = []
  for (const path of files) {
    const full = join(folder, path)
    const { size, mtimeMs } = await stat(full)
    outputs.push({ path, bytes: size, sha256: await hashFile(full), modified: Math.floor(mtimeMs) })
  }
  return outputs
}

/** Says what is wrong with a stage's outputs, or nothing. Files of unchanged size and time are taken as they are. */
export async function findDamage(folder: string, manifest: Manifest): Promise<string | undefined> {
  for (const output of manifest.outputs) {
    const file = join(folder, output.path)
    try {
      const { size, mtimeMs } = await stat(file)
      if (size !== output.bytes) return `${file} has ${size} bytes, not ${output.bytes}`
      if (Math.floor(mtimeMs) === output.modified) continue
      if ((await hashFile(file)) !== output.sha256) return `${file} was altered after its stage ended`
      await utimes(file, output.modified / 1000, output.modified / 1000)
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return `${file} is missing`
      throw error
    }
  }
  return undefined
}

/** All files at or below a path, relative to `folder`, with forward slashes, sorted. */
export async function listFiles(folder: string, path: string): Promise<string[]> {
  const full = join(folder, path)
  const state = await lstat(full)
  if (!state.isDirectory()) return [path]
  const names = (await readdir(full)).sort()
  return (await Promise.all(names.map((name) => listFiles(folder, path === '.' ? name : `${path}/${name}`)))).flat()
}

/** Bytes of all files at or below a path; 0 where there is nothing. */
export async function measureBytes(path: string): Promise<number> {
  try {
    const files = await listFiles(path, '.')
    const sizes = await Promise.all(
      files.map(async (file) => (await stat(file === '.' ? path : join(path, file))).size),
    )
    return sizes.reduce((sum, size) => sum + size, 0)
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return 0
    throw error
  }
}

/** Removes a stage's folder, first what says that it is done or begun, so that a half-removed one counts as neither. */
export async function removeStage(folder: string): Promise<void> {
  await rm(join(folder, manifestName), { force: true })
  await rm(join(folder, startedName), { force: true })
  await rm(folder, { recursive: true, force: true })
}

// The plan: which stages of a run are done, and why the others have to run, before anything runs.
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { hasCode, isSystemError, UserError } from '../base/errors.ts'
import { hashJson, readJson } from '../base/files.ts'
import { DamagedStage, findDamage, hashOutputs, type Manifest, readManifest, startedName } from '../runs/manifest.ts'
import type { Dependency, Stage } from './stage.ts'

export type StageState = 'done' | 'changed' | 'interrupted' | 'new'

export interface PlannedStage {
  id: string
  title: string
  state: StageState
  /** Why it has to run: which setting, file or stage changed, or what is damaged. Empty for done and new ones. */
  reasons: string[]
}

/** What a stage was last started with; partial work is good for exactly that. */
export interface StageKey {
  settings: Record<string, unknown>
  inputs: Record<string, string>
  dependencies: Record<string, string>
}

/** What is known of a stage on disk. */
export interface Inspection {
  state: StageState
  reasons: string[]
  damage?: string
  manifest: Manifest | null
  /** What it would be started with; absent where a stage that it builds on has yet to run. */
  key?: StageKey
}

/**
 * Looks at one stage.
 * @param before inspections of the stages that it builds on.
 * @param inputs hashes of its input files.
 */
export async function inspectStage(
  stage: Stage,
  folder: string,
  before: ReadonlyMap<string, Inspection>,
  inputs: Record<string, string>,
): Promise<Inspection> {
  let manifest: Manifest | null = null
  let damage: string | undefined
  try {
    manifest = await readManifest(folder)
    if (manifest !== null) damage = await findDamage(folder, manifest)
  } catch (error) {
    if (!(error instanceof DamagedStage)) throw error
    damage = error.message
  }
  const waiting = stage.dependencies
    .filter(({ stage: id }) => before.get(id)?.state !== 'done')
    .map(({ stage: id }) => id)
  const settings = JSON.parse(JSON.stringify(stage.settings)) as Record<string, unknown>
  const key =
    waiting.length > 0 ? undefined : { settings, inputs, dependencies: hashDependencies(stage.dependencies, before) }
  if (damage !== undefined) return { state: 'changed', reasons: [damage], damage, manifest: null, key }
  if (manifest === null) {
    const started = await readStarted(folder)
    const state = started === null ? 'new' : 'interrupted'
    const reasons = started !== null && key !== undefined ? compareKeys(started, key) : []
    return { state: reasons.length > 0 ? 'changed' : state, reasons, manifest, key }
  }
  const reasons = compareKeys(manifest, { settings, inputs, dependencies: key?.dependencies ?? manifest.dependencies })
  for (const id of new Set(waiting)) reasons.push(`${id} runs first`)
  return { state: reasons.length > 0 ? 'changed' : 'done', reasons, manifest, key }
}

function hashDependencies(dependencies: readonly Dependency[], before: ReadonlyMap<string, Inspection>) {
  const entries = dependencies.map(({ stage, path }) => {
    const outputs = before.get(stage)?.manifest?.outputs ?? []
    const wanted = outputs.filter(
      (file) => path === undefined || file.path === path || file.path.startsWith(`${path}/`),
    )
    return [path === undefined ? stage : `${stage}/${path}`, hashOutputs({ outputs: wanted })] as const
  })
  return Object.fromEntries(entries)
}

async function readStarted(folder: string): Promise<StageKey | null> {
  try {
    return (await readJson(join(folder, startedName))) as StageKey
  } catch (error) {
    const refused = error instanceof UserError && isSystemError(error.cause) && !hasCode(error.cause, 'ENOENT')
    if (!(error instanceof UserError) || refused) throw error
    return (await isEmpty(folder)) ? null : { settings: {}, inputs: {}, dependencies: {} }
  }
}

async function isEmpty(folder: string): Promise<boolean> {
  try {
    return (await readdir(folder)).length === 0
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return true
    throw error
  }
}

/** What differs between two keys, a sentence each. */
export function compareKeys(was: StageKey, is: StageKey): string[] {
  if (hashJson([was.settings, was.inputs, was.dependencies]) === hashJson([is.settings, is.inputs, is.dependencies]))
    return []
  const reasons = differences(was.settings, is.settings)
  for (const [kind, a, b] of [
    ['file', was.inputs, is.inputs],
    ['stage', was.dependencies, is.dependencies],
  ] as const) {
    for (const name of new Set([...Object.keys(a), ...Object.keys(b)])) {
      if (a[name] === b[name]) continue
      if (a[name] === undefined) reasons.push(`${name}: new ${kind}`)
      else if (b[name] === undefined) reasons.push(`${name}: no longer read`)
      else reasons.push(kind === 'file' ? `${name}: the file changed` : `${name} came out differently`)
    }
  }
  return reasons
}

function differences(was: unknown, is: unknown, path = ''): string[] {
  if (hashJson(was ?? null) === hashJson(is ?? null)) return []
  if (isMap(was) && isMap(is)) {
    return [...new Set([...Object.keys(was), ...Object.keys(is)])].flatMap((key) =>
      differences(was[key], is[key], path === '' ? key : `${path}.${key}`),
    )
  }
  return [`${path}: ${show(was)} -> ${show(is)}`]
}

function isMap(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === 'object' && !Array.isArray(value)
}

function show(value: unknown): string {
  return value === undefined || value === null ? 'unset' : JSON.stringify(value)
}

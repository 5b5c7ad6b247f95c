// What a recipe names that is not on this machine.
import { stat } from 'node:fs/promises'
import { UserError } from '../base/errors.ts'
import { exists } from '../base/files.ts'
import { listTextFiles } from '../data/text-files.ts'
import { miniaturePrefix } from '../recipe/paths.ts'
import type { Recipe } from '../recipe/recipe.ts'
import { findModelFolder } from './stages/download.ts'

export interface Absent {
  setting: string
  path: string
}

/** The settings that name what is not on this machine. */
export async function findAbsent(recipe: Recipe, runsFolder: string): Promise<Absent[]> {
  const absent: Absent[] = []
  const { folder } = recipe.model
  if (folder.startsWith(miniaturePrefix)) return absent
  const model = await findModelFolder(recipe, runsFolder)
  if (model === undefined || !(await exists(model))) absent.push({ setting: 'model', path: folder })
  for (const [i, { path }] of recipe.corpus.texts.entries()) {
    if ((await textBytes(path)) === undefined) absent.push({ setting: `corpus.texts.${i}`, path })
  }
  for (const part of ['past', 'preference', 'test', 'shots'] as const) {
    const path = recipe.exam[part]?.path
    if (path !== undefined && !(await exists(path))) absent.push({ setting: `exam.${part}`, path })
  }
  return absent
}

/** Bytes of a source's files, or undefined where there are none. */
export async function textBytes(path: string): Promise<number | undefined> {
  try {
    let bytes = 0
    for (const file of await listTextFiles(path)) bytes += (await stat(file.path)).size
    return bytes
  } catch (error) {
    if (error instanceof UserError) return undefined
    throw error
  }
}

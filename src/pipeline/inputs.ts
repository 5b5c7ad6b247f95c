// The files behind a path that a recipe names.
import { readdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { readError } from '../base/files.ts'
import { miniaturePrefix } from '../recipe/paths.ts'
import type { Recipe } from '../recipe/recipe.ts'
import { listFiles } from '../runs/manifest.ts'

/** What of a model folder counts: configuration, tokenizer and weights, nothing that other tools left there. */
const modelFiles = /\.(json|jinja|txt|model|safetensors)$/

/** All files of an input, absolute, and the folder that their names are relative to. */
export async function listInput(name: string, path: string): Promise<{ files: string[]; folder: string }> {
  try {
    if (!(await stat(path)).isDirectory()) return { files: [path], folder: dirname(path) }
    const files = name.startsWith('model') || name === 'tokenizer' ? await listModel(path) : await listFiles(path, '.')
    return { files: files.map((file) => join(path, file)), folder: path }
  } catch (error) {
    throw readError(path, error)
  }
}

async function listModel(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter((file) => modelFiles.test(file))
}

/** Whether the recipe's model folder has weights. */
export async function hasWeights(recipe: Recipe): Promise<boolean> {
  const { folder } = recipe.model
  if (folder.startsWith(miniaturePrefix)) return false
  const names = await readdir(folder).catch((error) => {
    throw readError(folder, error)
  })
  return names.some((name) => name.endsWith('.safetensors'))
}

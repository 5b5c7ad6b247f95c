// What LoRA learnt, merged into the weights that it was learnt on: the model that the next stages start from.
import { access, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { readJson, writeJson } from '../base/files.ts'
import { formatPercent } from '../base/format.ts'
import type { ModelReference } from '../engine/engine.ts'
import { type MergeRecord, mergeAdapter } from '../formats/merge.ts'
import { loadModelConfig } from '../model/config.ts'
import { nf4Shapes } from '../model/weights.ts'
import type { Recipe } from '../recipe/recipe.ts'

/** Below a training stage's folder: what its engine leaves, the merged model, and what merging changed. */
export const resultPath = 'training/result'
export const mergedPath = 'merged'
export const mergeRecordName = 'merge.json'

/** Merges a stage's adapter into `model`, once: the record is written when the merged model stands. */
export async function mergeResult(recipe: Recipe, folder: string, model: ModelReference): Promise<MergeRecord> {
  const file = join(folder, mergeRecordName)
  const isMerged = await access(file).then(
    () => true,
    () => false,
  )
  if (isMerged) return (await readJson(file)) as MergeRecord
  // What a killed attempt left of it may be as large as the model.
  for (const name of await readdir(folder)) {
    if (name.startsWith(`${mergedPath}.`)) await rm(join(folder, name), { recursive: true })
  }
  const quantised = model.base === 'nf4' ? nf4Shapes(await loadModelConfig(model.folder)) : new Map()
  const record = await mergeAdapter(model.folder, join(folder, resultPath), join(folder, mergedPath), {
    isQuantised: (weight) => quantised.has(weight),
    // GPUs train and serve in bf16, whatever the base's type.
    ...(recipe.engine.kind === 'cluster' && recipe.engine.device === 'gpu' && { storedAs: 'BF16' }),
  })
  await writeJson(file, record)
  return record
}

const typeNames = { F32: 'float32', BF16: 'bf16', F16: 'float16' }

/** What 16 bits changed; nothing where the weights are float32. */
export function describeMerge({ storedAs, roundingShare }: MergeRecord): string[] {
  if (storedAs === 'F32') return []
  return [`merged in ${typeNames[storedAs]}, whose rounding is ${formatPercent(roundingShare)} of what was learnt`]
}

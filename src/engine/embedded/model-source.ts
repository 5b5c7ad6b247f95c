// Where a training session's weights come from: frozen ones from the model's files, in place where they are float32, trainable ones into one array.
import { realpath } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { internal, UserError } from '../../base/errors.ts'
import { type Adapter, openAdapter, readAdapter } from '../../formats/adapter.ts'
import { addLowRank } from '../../formats/merge.ts'
import { readTensor, type StoredTensor } from '../../formats/safetensors.ts'
import { findWeight, openWeights } from '../../formats/weights.ts'
import { loadModelConfig, type ModelConfig } from '../../model/config.ts'
import { rotaryNames, rotaryTables, weightShapes } from '../../model/weights.ts'
import type { FrozenWeight } from '../../runtime/session.ts'
import type { ModelReference } from '../engine.ts'

/** A model opened: configuration, headers of the weights and, where there is one, the adapter. */
export interface ModelSource {
  config: ModelConfig
  folder: string
  tensors: Map<string, StoredTensor>
  adapter: Adapter | undefined
}

/** Opens a model and checks every tensor's shape against the configuration. */
export async function openModel({ folder, adapter }: ModelReference): Promise<ModelSource> {
  const config = await loadModelConfig(folder)
  const weights = await openWeights(folder)
  const tensors = new Map<string, StoredTensor>()
  for (const [name, shape] of weightShapes(config)) tensors.set(name, findWeight(weights, name, shape))
  const opened = adapter === undefined ? undefined : await openAdapter(adapter)
  for (const [name, { a, b }] of opened?.layers ?? []) {
    const shape = tensors.get(name)?.shape
    if (shape === undefined || shape[0] !== b.shape[0] || shape[1] !== a.shape[1]) {
      throw new UserError(
        `${adapter}: the adapter's layer ${name} does not fit the model ${folder}. It belongs to another.`,
      )
    }
  }
  return { config, folder, tensors, adapter: opened }
}

/** A weight of the model with its adapter merged in. */
export async function readMerged({ tensors, adapter }: ModelSource, name: string): Promise<Float32Array> {
  const values = await readTensor(tensors.get(name) ?? internal(`no tensor ${name}`))
  const factors = adapter?.layers.get(name)
  if (adapter !== undefined && factors !== undefined) {
    const read = { a: await readTensor(factors.a), b: await readTensor(factors.b) }
    addLowRank(values, read, adapter.config.alpha / adapter.config.rank)
  }
  return values
}

/** What compile() needs for the weights that do not learn: float32 files in place, the others (16 bits, merged) in memory. */
export async function frozenWeights(
  source: ModelSource,
  options: { merged: boolean; positions: number; learns?: (name: string) => boolean },
): Promise<{ weights: (name: string) => FrozenWeight; weightsFolder: string }> {
  const found = new Map<string, FrozenWeight>()
  let weightsFolder: string | undefined
  for (const [name, tensor] of source.tensors) {
    const file = await realpath(tensor.file)
    weightsFolder ??= dirname(file)
    if (options.learns?.(name)) continue
    const changed = options.merged && source.adapter?.layers.has(name)
    const { shape, offset, bytes } = tensor
    if (!changed && tensor.dtype === 'F32' && dirname(file) === weightsFolder && offset % 4 === 0) {
      found.set(name, { shape, file: basename(file), offset, bytes })
    } else {
      found.set(name, { shape, data: options.merged ? await readMerged(source, name) : await readTensor(tensor) })
    }
  }
  const tables = rotaryTables(source.config, options.positions)
  const shape = [options.positions, source.config.headWidth / 2]
  found.set(rotaryNames.cos, { shape, data: tables.cos })
  found.set(rotaryNames.sin, { shape, data: tables.sin })
  return {
    weights: (name) => found.get(name) ?? internal(`no frozen weight ${name}`),
    weightsFolder: weightsFolder ?? internal('a model without tensors'),
  }
}

/** The adapter's factors under the names that the graph gives them: '<layer>.lora_A.weight'. */
export async function adapterValues(adapter: Adapter): Promise<Map<string, Float32Array>> {
  const values = new Map<string, Float32Array>()
  for (const [name, { a, b }] of await readAdapter(adapter)) {
    const layer = name.replace(/\.weight$/, '')
    values.set(`${layer}.lora_A.weight`, a)
    values.set(`${layer}.lora_B.weight`, b)
  }
  return values
}

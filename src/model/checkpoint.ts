// A model on disk, opened: configuration, weights checked against it, adapter on top. Large weights stay in a file, as float32.
import { realpath } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { internal, UserError } from '../base/errors.ts'
import { openAdapter } from '../formats/adapter.ts'
import { nf4Block } from '../formats/nf4.ts'
import { nameQuantisation } from '../formats/quantisation.ts'
import { type HeldForm, roundWeight } from '../formats/quantised-forms.ts'
import { readTensor, type StoredTensor } from '../formats/safetensors.ts'
import { findWeight, openWeights, type Weights } from '../formats/weights.ts'
import { copyInBlocks } from './block-copy.ts'
import { loadModelConfig, type ModelConfig } from './config.ts'
import type { KeptCopy } from './kept-copy.ts'
import { copyQuantised } from './quantised-copy.ts'
import {
  adapterShapes,
  type BaseForm,
  countValues,
  embeddingName,
  type LoraShape,
  quantisedShapes,
  rotaryNames,
  rotaryTables,
  weightShapes,
} from './weights.ts'
import { measureWidened, widenWeights } from './widened-copy.ts'

/** A weight in memory, or its bytes at a place in a file of the checkpoint's folder. */
export type PlacedWeight =
  | { shape: number[]; data: Float32Array | Uint8Array }
  | { shape: number[]; file: string; offset: number; bytes: number }

/** Weights below this size are read into memory: a session reads small external tensors no faster. */
const inMemoryBytes = 64 * 1024

/** How products with a model's weights are computed, whatever its base is held in; int8: weights and activations in 8-bit blocks, the head too. */
export type Precision = 'float32' | 'int8'

/** What compiling a graph needs of a model; `place` and `folder` go to the compiler as they are. */
export interface Checkpoint {
  config: ModelConfig
  /** The adapter's shape, where there is one. */
  lora: LoraShape | undefined
  /** How graphs hold the linear layers. */
  base: BaseForm
  /** The folder (links resolved) that placed files are relative to. */
  folder: string
  /** Bytes of the copy (float32 of 16-bit weights, NF4, 8 bits) that the folder is, in the user's cache; 0 where there is none. */
  copyBytes: number
  /** Where a weight or rotary table is. An unknown name is an internal error. */
  place(name: string): PlacedWeight
  /** Reads one weight, widened to float32; in NF4 and 8 bits, what its codes stand for. */
  read(name: string): Promise<Float32Array>
}

/**
 * Opens a model folder and, where given, a PEFT adapter on top of it.
 * Float32 weights are used where they lie; 16-bit ones, NF4 and 8 bits (`base`) are converted, for large models into the cache. Every tensor that config.json asks for must be there in its shape, and an adapter must fit the model: otherwise a UserError.
 * @param precision of products; left out: as `base` holds the weights. float32 on a base in fewer bits takes the numbers that the codes stand for:
 * the same weights in more memory. Products of both are as quick for few rows as for many, and their rows have the same bits in any company
 * @param positions length of the rotary tables: the longest sequence that graphs on this checkpoint will see
 */
export async function openCheckpoint(
  reference: { folder: string; adapter?: string | undefined; base?: HeldForm | undefined },
  positions: number,
  precision?: Precision,
): Promise<Checkpoint> {
  const { config, weights, shapes } = await checkWeights(reference.folder)
  const base = reference.base ?? 'float32'
  if (base === 'nf4') checkNf4(weights, config)
  const used =
    base === 'float32' && precision !== 'int8'
      ? await widen(weights, [...shapes.keys()])
      : await convert(weights, config, (own) =>
          base === 'float32' || precision === 'int8'
            ? copyInBlocks(config, own, base)
            : copyQuantised(base, own, quantisedShapes(config), precision === 'float32'),
        )
  const { stored } = used
  const placed = new Map(used.placed)
  const lora = reference.adapter === undefined ? undefined : await addAdapter(reference.adapter, config, stored)

  const files = new Map<string, string>()
  for (const { file } of stored.values()) if (!files.has(file)) files.set(file, await realpath(file))
  const folder = dirname(files.values().next().value ?? reference.folder)
  const tables = rotaryTables(config, positions)
  const tableShape = [positions, config.headWidth / 2]
  placed.set(rotaryNames.cos, { shape: tableShape, data: tables.cos })
  placed.set(rotaryNames.sin, { shape: tableShape, data: tables.sin })
  for (const [name, tensor] of stored) {
    const file = files.get(tensor.file)!
    const { shape, offset, bytes } = tensor
    const fits = tensor.dtype === 'U8' || (tensor.dtype === 'F32' && offset % 4 === 0 && bytes >= inMemoryBytes)
    placed.set(
      name,
      fits && dirname(file) === folder
        ? { shape, file: basename(file), offset, bytes }
        : { shape, data: await readTensor(tensor) },
    )
  }
  const find = (name: string) =>
    used.own.get(name) ?? stored.get(name) ?? internal(`no weight '${name}' in ${reference.folder}`)
  return {
    config,
    lora,
    base: precision === 'int8' ? 'blocks' : (precision ?? base),
    folder,
    copyBytes: used.copyBytes,
    place: (name) => placed.get(name) ?? internal(`no weight '${name}' in ${reference.folder}`),
    read: async (name) => {
      const values = await readTensor(find(name))
      const shape = base === 'float32' ? undefined : quantisedShapes(config).get(name)
      return base === 'float32' || shape === undefined ? values : roundWeight[base](values, shape[1])
    },
  }
}

/**
 * Opens a model folder's weights as far as their headers: every tensor that config.json asks for must be there in its shape,
 * unquantised, and the head that of tied embeddings; otherwise a UserError.
 */
export async function checkWeights(
  folder: string,
): Promise<{ config: ModelConfig; weights: Weights; shapes: Map<string, number[]> }> {
  const config = await loadModelConfig(folder)
  const weights = await openWeights(folder)
  const quantisation = nameQuantisation(weights.tensors.keys())
  if (quantisation !== undefined) {
    throw new UserError(`${folder}: the weights are quantised (${quantisation}). Take the unquantised model.`)
  }
  const shapes = weightShapes(config)
  for (const [name, shape] of shapes) findWeight(weights, name, shape)
  if (config.tiedEmbeddings) await checkTied(folder, weights, config)
  return { config, weights, shapes }
}

/** Bytes of the float32 copy in the user's cache that the model of a folder is opened with; 0 where it needs none. */
export async function measureCopy(folder: string): Promise<number> {
  const names = [...weightShapes(await loadModelConfig(folder)).keys()]
  return measureWidened(await openWeights(folder), names)
}

/** What a session uses of a model: tensors in files, converted ones in memory; and the model's own tensors. */
interface UsedWeights {
  own: ReadonlyMap<string, StoredTensor>
  stored: Map<string, StoredTensor>
  placed: ReadonlyMap<string, PlacedWeight>
  copyBytes: number
}

async function widen(weights: Weights, names: string[]): Promise<UsedWeights> {
  const widened = await widenWeights(weights, names)
  const stored = new Map(names.map((name) => [name, widened.tensors.get(name)!]))
  const bytes = [...stored.values()].reduce((sum, tensor) => sum + tensor.bytes, 0)
  return { own: stored, stored, placed: new Map(), copyBytes: widened === weights ? 0 : bytes }
}

function checkNf4(weights: Weights, config: ModelConfig): void {
  for (const [name, [outputs, inputs]] of quantisedShapes(config)) {
    if ((outputs * inputs) % nf4Block === 0) continue
    throw new UserError(
      `${weights.folder}: ${name} [${outputs},${inputs}] does not divide into NF4's blocks of ${nf4Block}. Use base: float32.`,
    )
  }
}

async function convert(
  weights: Weights,
  config: ModelConfig,
  copy: (own: ReadonlyMap<string, StoredTensor>) => Promise<KeptCopy>,
): Promise<UsedWeights> {
  const own = new Map([...weightShapes(config).keys()].map((name) => [name, weights.tensors.get(name)!]))
  const { sources, stored, bytes } = await copy(own)
  if (stored !== undefined) return { own, stored, placed: new Map(), copyBytes: bytes }
  const placed = new Map<string, PlacedWeight>()
  for (const source of sources) placed.set(source.name, { shape: source.shape, data: await source.read() })
  return { own, stored: new Map(), placed, copyBytes: 0 }
}

/** A tied model may carry a copy of its embeddings as its head, but not another head: which one is meant would be a guess. */
async function checkTied(folder: string, weights: Weights, config: ModelConfig): Promise<void> {
  const head = weights.tensors.get('lm_head.weight')
  if (head === undefined) return
  const table = await readTensor(findWeight(weights, embeddingName, [config.vocabularySize, config.width]))
  const copy = await readTensor(head)
  if (copy.length === table.length && copy.every((value, i) => value === table[i])) return
  throw new UserError(
    `${folder}: config.json says tie_word_embeddings, but lm_head.weight differs from the embeddings. Correct one of the two.`,
  )
}

/** Adds an adapter's tensors under the names that graphs use; they must be those that its configuration promises. */
async function addAdapter(folder: string, config: ModelConfig, stored: Map<string, StoredTensor>): Promise<LoraShape> {
  const { config: lora, layers } = await openAdapter(folder)
  const shapes = adapterShapes(config, lora)
  for (const [weight, { a, b }] of layers) {
    const layer = weight.replace(/\.weight$/, '')
    for (const [name, tensor] of [
      [`${layer}.lora_A.weight`, a],
      [`${layer}.lora_B.weight`, b],
    ] as const) {
      const shape = shapes.get(name)
      if (shape === undefined)
        throw new UserError(`${folder}: the model has no layer ${layer} that the adapter changes.`)
      if (shape.join() !== tensor.shape.join()) {
        throw new UserError(
          `${folder}: ${name} is [${tensor.shape}], this model needs [${shape}]. The adapter belongs to another model.`,
        )
      }
      stored.set(name, tensor)
    }
  }
  const missing = [...shapes.keys()].find((name) => !stored.has(name))
  if (missing) {
    throw new UserError(
      `${folder}: the adapter has no ${missing}. Adapters that change a kind of layer in some blocks only cannot be used.`,
    )
  }
  return lora
}

/** Bytes of all weights as float32: what a session holds at least. */
export function weightBytes(config: ModelConfig): number {
  return 4 * countValues(weightShapes(config))
}

/**
 * How many rows of the head are computed at a time, at most; 0 takes all at once. 256 rows of 152k logits are 156 MB, twice; `sparing`
 * memory, 64 take a quarter of that and a little longer.
 */
export function headChunk(config: ModelConfig, sparing = false): number {
  if (config.vocabularySize <= 8_192) return 0
  return sparing ? 64 : 256
}

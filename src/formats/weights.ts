// The weights of a Hugging Face model folder: one safetensors file, or shards with an index.
import { access, copyFile, readdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { UserError } from '../base/errors.ts'
import { readError, readJson, writeJson } from '../base/files.ts'
import { copyTensor, readSafetensorsHeader, readTensor, type StoredTensor } from './safetensors.ts'
import {
  type PlacedSource,
  type TensorSource,
  tensorBytes,
  type WeightType,
  writeSafetensors,
} from './safetensors-writer.ts'

export const weightsFile = 'model.safetensors'
export const indexFile = 'model.safetensors.index.json'

/** Shards stay below 4 GiB, so that they fit every file system and one is quickly copied again. */
const maxShardBytes = 4 * 2 ** 30

/** The weights' types as config.json names them. */
const typeNames: Record<WeightType, string> = { F32: 'float32', BF16: 'bfloat16', F16: 'float16' }

/** The tensors of a model folder, headers checked; nothing is read yet. */
export interface Weights {
  folder: string
  tensors: Map<string, StoredTensor>
}

/** Opens a model folder's weights. Missing, pickled or damaged ones are UserErrors. */
export async function openWeights(folder: string): Promise<Weights> {
  const files = await readdir(folder).catch((error) => {
    throw readError(folder, error)
  })
  if (files.includes(indexFile)) return { folder, tensors: await openShards(folder, files) }
  if (files.includes(weightsFile)) {
    return { folder, tensors: (await readSafetensorsHeader(join(folder, weightsFile))).tensors }
  }
  const pickle = files.find((file) => /^pytorch_model.*\.bin$|\.(pt|pth|ckpt)$/.test(file))
  throw new UserError(
    pickle === undefined
      ? `${folder}: no weights (${weightsFile} or ${indexFile}).`
      : `${join(folder, pickle)}: a pickle file of PyTorch. meikai does not open pickles, which can run code: convert the model to safetensors (save_pretrained of transformers).`,
  )
}

async function openShards(folder: string, files: string[]): Promise<Map<string, StoredTensor>> {
  const path = join(folder, indexFile)
  const index = (await readJson(path)) as { weight_map?: unknown } | null
  const map = index?.weight_map
  if (typeof map !== 'object' || map === null) throw new UserError(`${path}: no weight_map.`)
  const shards = new Map<string, Map<string, StoredTensor>>()
  const tensors = new Map<string, StoredTensor>()
  for (const [name, shard] of Object.entries(map)) {
    if (typeof shard !== 'string' || shard !== basename(shard)) {
      throw new UserError(`${path}: the shard of ${name} is not a plain file name: ${JSON.stringify(shard)}.`)
    }
    if (!files.includes(shard)) {
      throw new UserError(`${path}: the shard ${shard} is missing, which holds ${name}. Copy or download it again.`)
    }
    const found = shards.get(shard) ?? (await readSafetensorsHeader(join(folder, shard))).tensors
    shards.set(shard, found)
    const tensor = found.get(name)
    if (tensor === undefined) {
      throw new UserError(
        `${join(folder, shard)}: tensor ${name} is missing, which ${path} says is there. The two do not belong together.`,
      )
    }
    tensors.set(name, tensor)
  }
  return tensors
}

/** The type that a model's largest tensor is stored in; others than F32, BF16 and F16 are a UserError. */
export function weightType({ folder, tensors }: Weights): WeightType {
  const [largest] = [...tensors.values()].sort((a, b) => b.bytes - a.bytes)
  const type = largest?.dtype ?? 'F32'
  if (Object.hasOwn(typeNames, type)) return type as WeightType
  throw new UserError(`${folder}: the weights are stored as ${type}; those in F32, BF16 and F16 can be used.`)
}

/** Whether a folder has weights that openWeights would try to open. */
export async function hasWeights(folder: string): Promise<boolean> {
  const there = await Promise.allSettled([access(join(folder, weightsFile)), access(join(folder, indexFile))])
  return there.some((file) => file.status === 'fulfilled')
}

/** Reads a tensor as float32 and checks its shape; `shape` is what the configuration asks for. */
export async function readWeight(weights: Weights, name: string, shape: number[]): Promise<Float32Array> {
  return readTensor(findWeight(weights, name, shape))
}

/** Finds a tensor and checks its shape against what the configuration asks for. */
export function findWeight(weights: Weights, name: string, shape: number[]): StoredTensor {
  const tensor = weights.tensors.get(name)
  if (tensor === undefined) {
    throw new UserError(
      `${weights.folder}: tensor ${name} [${shape}] is missing. The weights do not belong to config.json.`,
    )
  }
  if (tensor.shape.length !== shape.length || tensor.shape.some((dim, i) => dim !== shape[i])) {
    throw new UserError(
      `${tensor.file}: tensor ${name} is [${tensor.shape}], config.json asks for [${shape}]. The weights do not belong to config.json.`,
    )
  }
  return tensor
}

/** A stored tensor to be written as it is. */
export function copySource(tensor: StoredTensor): PlacedSource {
  const { name, shape, dtype } = tensor
  return { name, shape, storedAs: dtype as WeightType, writeTo: (place) => copyTensor(tensor, place) }
}

/** Copies what a model folder holds besides weights (configuration, tokenizer, licence), the configuration's type set to that of the weights. */
export async function copyModelFiles(from: string, to: string, type: WeightType): Promise<void> {
  for (const entry of await readdir(from, { withFileTypes: true })) {
    // Links count as files: the Hugging Face cache is made of them.
    if (entry.isDirectory() || /\.(safetensors|safetensors\.index\.json|bin|pt|pth|gguf)$/.test(entry.name)) continue
    if (entry.name === 'config.json') continue
    await copyFile(join(from, entry.name), join(to, entry.name))
  }
  const config = (await readJson(join(from, 'config.json'))) as Record<string, unknown>
  const typeKey = 'dtype' in config ? 'dtype' : 'torch_dtype'
  await writeJson(join(to, 'config.json'), { ...config, [typeKey]: typeNames[type] })
}

type WeightSource = TensorSource | PlacedSource

/** Writes a model folder's weights: one file, or shards with an index when they are large. */
export async function writeWeights(folder: string, tensors: WeightSource[], shardBytes = maxShardBytes): Promise<void> {
  const shards = splitShards(tensors, shardBytes)
  if (shards.length === 1) return writeSafetensors(join(folder, weightsFile), tensors)
  const weightMap: Record<string, string> = {}
  const count = String(shards.length).padStart(5, '0')
  for (const [i, shard] of shards.entries()) {
    const file = `model-${String(i + 1).padStart(5, '0')}-of-${count}.safetensors`
    await writeSafetensors(join(folder, file), shard)
    for (const tensor of shard) weightMap[tensor.name] = file
  }
  const totalSize = tensors.reduce((sum, tensor) => sum + tensorBytes(tensor), 0)
  await writeJson(join(folder, indexFile), { metadata: { total_size: totalSize }, weight_map: weightMap })
}

function splitShards(tensors: WeightSource[], shardBytes: number): WeightSource[][] {
  const shards: WeightSource[][] = [[]]
  let bytes = 0
  for (const tensor of tensors) {
    if (bytes > 0 && bytes + tensorBytes(tensor) > shardBytes) {
      shards.push([])
      bytes = 0
    }
    shards[shards.length - 1]?.push(tensor)
    bytes += tensorBytes(tensor)
  }
  return shards
}

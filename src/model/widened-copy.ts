// Large 16-bit weights as float32 in a file: the runtime maps float32 from where it lies, everything else it must hold in memory.
import { realpath, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { cacheFolder } from '../base/cache.ts'
import { hashJson, writeFolderAtomic } from '../base/files.ts'
import { readTensor, type StoredTensor } from '../formats/safetensors.ts'
import { hasWeights, openWeights, type Weights, writeWeights } from '../formats/weights.ts'

/** Models whose float32 weights take less are widened in memory, which needs no disk. */
const widenedInMemoryBytes = 512 * 2 ** 20

/**
 * The weights themselves where they are float32 or small; else a float32 copy of the tensors named, 4 bytes a weight, made
 * once, one tensor in memory at a time, and kept in the user's cache. A full disk is a UserError.
 */
export async function widenWeights(
  weights: Weights,
  names: readonly string[],
  cache = cacheFolder(),
  inMemoryBytes = widenedInMemoryBytes,
): Promise<Weights> {
  if (measureWidened(weights, names, inMemoryBytes) === 0) return weights
  const tensors = findTensors(weights, names)
  const folder = join(cache, 'float32', await copyIdentity(tensors, names))
  if (!(await hasWeights(folder))) {
    const sources = tensors.map((tensor) => ({ ...tensor, read: () => readTensor(tensor) }))
    await writeFolderAtomic(folder, (partial) => writeWeights(partial, sources))
  }
  return openWeights(folder)
}

/** Bytes of the copy that such weights need; 0 where they are used as they are. */
export function measureWidened(
  weights: Weights,
  names: readonly string[],
  inMemoryBytes = widenedInMemoryBytes,
): number {
  const tensors = findTensors(weights, names)
  const bytes = tensors.reduce((sum, { shape }) => sum + 4 * shape.reduce((a, b) => a * b, 1), 0)
  return bytes < inMemoryBytes || tensors.every(({ dtype }) => dtype === 'F32') ? 0 : bytes
}

const findTensors = (weights: Weights, names: readonly string[]) =>
  names.flatMap((name) => weights.tensors.get(name) ?? [])

/** What a copy of these tensors is known by: their names, and their files' places, sizes and times. */
export async function copyIdentity(tensors: readonly StoredTensor[], names: readonly string[]): Promise<string> {
  const files = [...new Set(tensors.map(({ file }) => file))].sort()
  const states = await Promise.all(
    files.map(async (file) => ({ file: await realpath(file), ...(await identify(file)) })),
  )
  return hashJson({ states, names }).slice(0, 16)
}

/** What changes when a file does. Its contents are not read: that would take longer than using the copy. */
async function identify(file: string): Promise<{ size: number; modified: number }> {
  const { size, mtimeMs } = await stat(file)
  return { size, modified: mtimeMs }
}

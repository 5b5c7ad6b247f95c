// A model's tensors in another form: in memory where that is little, else in a file of the user's cache, made once.
import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { readSafetensorsHeader, readTensor, type StoredTensor } from '../formats/safetensors.ts'
import { type ByteSource, type TensorSource, tensorBytes, writeSafetensors } from '../formats/safetensors-writer.ts'
import { copyIdentity } from './widened-copy.ts'

/** Copies that take less are made in memory each time the model is opened. */
export const convertedInMemoryBytes = 128 * 2 ** 20

export interface KeptCopy {
  /** The whole model, some weights replaced: to be read, or written already. */
  sources: (TensorSource | ByteSource)[]
  /** Of the file that is to be used in place; undefined where sources are to be read. */
  stored: Map<string, StoredTensor> | undefined
  bytes: number
}

/** Keeps the copy of `tensors` that the sources make, under the form's name. A full disk is a UserError. */
export async function keepCopy(
  form: string,
  tensors: ReadonlyMap<string, StoredTensor>,
  sources: (TensorSource | ByteSource)[],
  cache: string,
  inMemoryBytes: number,
): Promise<KeptCopy> {
  const bytes = sources.reduce((sum, source) => sum + tensorBytes(source), 0)
  if (bytes < inMemoryBytes) return { sources, stored: undefined, bytes }
  const identity = await copyIdentity([...tensors.values()], [...tensors.keys()])
  const file = join(cache, form, `${identity}.safetensors`)
  await access(file).catch(() => writeSafetensors(file, sources))
  return { sources, stored: (await readSafetensorsHeader(file)).tensors, bytes }
}

/** What a tensor becomes, computed once for all that is read of it: `take` reads the last, so that one is in memory at a time. */
export function convertOnce<Converted>(tensor: StoredTensor, convert: (values: Float32Array) => Converted) {
  let kept: Converted | undefined
  const get = async () => {
    kept ??= convert(await readTensor(tensor))
    return kept
  }
  const take = async () => {
    const converted = await get()
    kept = undefined
    return converted
  }
  return { get, take }
}

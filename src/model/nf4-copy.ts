// A model's linear layers in NF4.
import { cacheFolder } from '../base/cache.ts'
import { nf4Block, quantiseNf4, roundToNf4 } from '../formats/nf4.ts'
import { readTensor, type StoredTensor } from '../formats/safetensors.ts'
import type { ByteSource, TensorSource } from '../formats/safetensors-writer.ts'
import { convertedInMemoryBytes, convertOnce, type KeptCopy, keepCopy } from './kept-copy.ts'
import { nf4Names } from './weights.ts'

/**
 * The copy of these tensors with `quantised` ones in NF4; `unpacked` as the float32 numbers that the codes stand for.
 * A full disk is a UserError.
 */
export async function copyInNf4(
  tensors: ReadonlyMap<string, StoredTensor>,
  quantised: ReadonlyMap<string, unknown>,
  unpacked = false,
  cache = cacheFolder(),
  inMemoryBytes = convertedInMemoryBytes,
): Promise<KeptCopy> {
  const sources = [...tensors].flatMap(([name, tensor]): (TensorSource | ByteSource)[] => {
    if (quantised.has(name) && !unpacked) return quantisedSources(name, tensor)
    const read = async () => (quantised.has(name) ? roundToNf4(await readTensor(tensor)) : readTensor(tensor))
    return [{ name, shape: tensor.shape, read }]
  })
  return keepCopy(unpacked ? 'nf4-unpacked' : 'nf4', tensors, sources, cache, inMemoryBytes)
}

function quantisedSources(name: string, tensor: StoredTensor): [ByteSource, TensorSource] {
  const names = nf4Names(name)
  const size = tensor.shape.reduce((a, b) => a * b)
  const weight = convertOnce(tensor, quantiseNf4)
  return [
    { name: names.codes, storedAs: 'U8', shape: [size / 2], read: async () => (await weight.get()).codes },
    { name: names.scales, shape: [size / nf4Block], read: async () => (await weight.take()).scales },
  ]
}

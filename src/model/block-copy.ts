// A model's products in 8 bits: its linear layers and its head as integers in blocks, everything else in float32.
import { cacheFolder } from '../base/cache.ts'
import { blockShapes, quantiseBlocks } from '../formats/block-integers.ts'
import { type HeldForm, roundWeight } from '../formats/quantised-forms.ts'
import { readTensor, type StoredTensor } from '../formats/safetensors.ts'
import type { ByteSource, TensorSource } from '../formats/safetensors-writer.ts'
import type { ModelConfig } from './config.ts'
import { convertedInMemoryBytes, convertOnce, type KeptCopy, keepCopy } from './kept-copy.ts'
import { blockLength, blockNames, embeddingName, headName, quantisedShapes } from './weights.ts'

/**
 * The copy of a model's tensors with 8-bit products; of a base in fewer bits, with those of the numbers that its codes stand for.
 * A full disk is a UserError.
 */
export async function copyInBlocks(
  config: ModelConfig,
  tensors: ReadonlyMap<string, StoredTensor>,
  base: HeldForm,
  cache = cacheFolder(),
  inMemoryBytes = convertedInMemoryBytes,
): Promise<KeptCopy> {
  const layers = quantisedShapes(config)
  const head = headName(config)
  const sources = [...tensors].flatMap(([name, tensor]): (TensorSource | ByteSource)[] => {
    const whole = { name, shape: tensor.shape, read: () => readTensor(tensor) }
    if (!layers.has(name) && name !== head) return [whole]
    const [outputs, inputs] = tensor.shape as [number, number]
    const convert = (values: Float32Array) =>
      quantiseBlocks(
        base !== 'float32' && layers.has(name) ? roundWeight[base](values, inputs) : values,
        inputs,
        blockLength,
      )
    const weight = convertOnce(tensor, convert)
    const names = blockNames(name)
    const shapes = blockShapes([outputs, inputs], blockLength)
    return [
      // A tied head's table is read row by row, too.
      ...(name === embeddingName ? [whole] : []),
      { name: names.codes, storedAs: 'U8', shape: shapes.codes, read: async () => (await weight.get()).codes },
      { name: names.scales, shape: shapes.scales, read: async () => (await weight.take()).scales },
    ]
  })
  return keepCopy(base === 'float32' ? 'int8-blocks' : `${base}-int8-blocks`, tensors, sources, cache, inMemoryBytes)
}

// A model's linear layers in NF4 or 8 bits.
import { cacheFolder } from '../base/cache.ts'
import { quantiseInt8 } from '../formats/int8.ts'
import { nf4Block, quantiseNf4 } from '../formats/nf4.ts'
import { type QuantisedForm, roundWeight } from '../formats/quantised-forms.ts'
import { readTensor, type StoredTensor } from '../formats/safetensors.ts'
import type { ByteSource, TensorSource } from '../formats/safetensors-writer.ts'
import { convertedInMemoryBytes, convertOnce, type KeptCopy, keepCopy } from './kept-copy.ts'
import { int8Names, nf4Names } from './weights.ts'

type Source = TensorSource | ByteSource

/**
 * The copy of these tensors with `quantised` ones in the form; `unpacked` as the float32 numbers that the codes stand for.
 * A full disk is a UserError.
 */
export async function copyQuantised(
  form: QuantisedForm,
  tensors: ReadonlyMap<string, StoredTensor>,
  quantised: ReadonlyMap<string, unknown>,
  unpacked = false,
  cache = cacheFolder(),
  inMemoryBytes = convertedInMemoryBytes,
): Promise<KeptCopy> {
  const sources = [...tensors].flatMap(([name, tensor]): Source[] => {
    if (quantised.has(name) && !unpacked) return quantisedSources[form](name, tensor)
    const round = (values: Float32Array) => roundWeight[form](values, tensor.shape[1]!)
    const read = async () => (quantised.has(name) ? round(await readTensor(tensor)) : readTensor(tensor))
    return [{ name, shape: tensor.shape, read }]
  })
  return keepCopy(unpacked ? `${form}-unpacked` : form, tensors, sources, cache, inMemoryBytes)
}

/** The tensors that stand for one weight, in the order in which they are read: quantised once for all of them. */
const quantisedSources: Record<QuantisedForm, (name: string, tensor: StoredTensor) => Source[]> = {
  nf4: (name, tensor) => {
    const names = nf4Names(name)
    const size = tensor.shape.reduce((a, b) => a * b)
    const weight = convertOnce(tensor, quantiseNf4)
    return [
      { name: names.codes, storedAs: 'U8', shape: [size / 2], read: async () => (await weight.get()).codes },
      { name: names.scales, shape: [size / nf4Block], read: async () => (await weight.take()).scales },
    ]
  },
  int8: (name, tensor) => {
    const names = int8Names(name)
    const [outputs, inputs] = tensor.shape as [number, number]
    const weight = convertOnce(tensor, (values) => quantiseInt8(values, inputs))
    const bytes = { storedAs: 'U8' } as const
    return [
      { ...bytes, name: names.codes, shape: [outputs, inputs], read: async () => (await weight.get()).codes },
      { ...bytes, name: names.transposed, shape: [inputs, outputs], read: async () => (await weight.get()).transposed },
      { name: names.scales, shape: [outputs], read: async () => (await weight.take()).scales },
    ]
  },
}

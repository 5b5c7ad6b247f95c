// Merges a LoRA adapter into a model folder, piece by piece of each tensor: weight + scale x B·A, in 16 bits where the model has them.
import { UserError } from '../base/errors.ts'
import { writeFolderAtomic } from '../base/files.ts'
import { type Adapter, type AdapterFactors, adapterScale, openAdapter } from './adapter.ts'
import { roundToBfloat16, roundToFloat16, widenBfloat16, widenFloat16 } from './half-precision.ts'
import { nf4Block } from './nf4.ts'
import { type QuantisedForm, roundPieces } from './quantised-forms.ts'
import { pieceValues, readPieces, readTensor, type StoredTensor } from './safetensors.ts'
import type { PiecewiseSource, WeightType } from './safetensors-writer.ts'
import { copyModelFiles, openWeights, type Weights, weightType, writeWeights } from './weights.ts'

export interface MergeOptions {
  /** The form that the adapter was trained against a weight in: merged is what its codes stand for. */
  formOf?: (weight: string) => QuantisedForm | undefined
  /** How all weights are stored; each as it was when left out. */
  storedAs?: WeightType | undefined
}

/** What storing the merged weights changed of them. */
export interface MergeRecord {
  storedAs: WeightType
  /** Norm of what the adapter adds, over the norm of the weights that it is added to. */
  adapterShare: number
  /** Norm of what rounding to the stored type changes of these weights, over the norm of what the adapter adds. */
  roundingShare: number
}

/**
 * Writes the merged model to `outputFolder` (renamed into place last), with every other file of the model folder beside it.
 * A piece of a tensor is in memory at a time, whatever the model's size. An adapter of another model is a UserError.
 */
export async function mergeAdapter(
  modelFolder: string,
  adapterFolder: string,
  outputFolder: string,
  { formOf = () => undefined, storedAs }: MergeOptions = {},
): Promise<MergeRecord> {
  const weights = await openWeights(modelFolder)
  const adapter = await openAdapter(adapterFolder)
  checkShapes(weights, adapter)
  const type = storedAs ?? weightType(weights)
  const squares: Squares = { weights: 0, added: 0, rounded: 0 }
  await writeFolderAtomic(outputFolder, async (partial) => {
    await copyModelFiles(modelFolder, partial, type)
    const sources = [...weights.tensors.values()].map((tensor): PiecewiseSource => {
      const own = storedAs ?? (tensor.dtype as WeightType)
      const read = () => readPieces(tensor, wholeRows(tensor))
      const form = formOf(tensor.name)
      const base = () => (form === undefined ? read() : roundPieces[form](read, tensor.shape[1]!))
      const factors = adapter.layers.get(tensor.name)
      const merged = () => addPieces(base(), factors!, adapterScale(adapter.config), own, squares)
      return { ...tensor, storedAs: own, readPieces: factors === undefined ? base : merged }
    })
    await writeWeights(partial, sources)
  })
  const share = (part: number, whole: number) => (whole === 0 ? 0 : Math.sqrt(part / whole))
  return {
    storedAs: type,
    adapterShare: share(squares.added, squares.weights),
    roundingShare: share(squares.rounded, squares.added),
  }
}

function checkShapes({ folder, tensors }: Weights, adapter: Adapter): void {
  for (const [name, { a, b }] of adapter.layers) {
    const shape = tensors.get(name)?.shape
    const wanted = [b.shape[0], a.shape[1]]
    if (shape?.length === 2 && shape[0] === wanted[0] && shape[1] === wanted[1]) continue
    throw new UserError(
      `${adapter.folder}: the adapter changes ${name} [${wanted}], which is ${shape === undefined ? 'missing' : `[${shape}]`} in ${folder}. It belongs to another model.`,
    )
  }
}

/** How many values of a tensor are read at a time: whole rows, and whole blocks of NF4. */
function wholeRows({ shape }: StoredTensor): number {
  const row = nf4Block * (shape.length === 2 ? shape[1]! : 1)
  return row * Math.max(1, Math.floor(pieceValues / row))
}

/** Sums of squares over the weights that the adapter changes. */
interface Squares {
  weights: number
  added: number
  rounded: number
}

/** Adds an adapter's product to a weight that comes in pieces of whole rows, and rounds it as it will be stored. */
async function* addPieces(
  pieces: AsyncIterable<Float32Array>,
  stored: AdapterFactors<StoredTensor>,
  scale: number,
  type: WeightType,
  squares: Squares,
): AsyncGenerator<Float32Array> {
  const [a, b] = [await readTensor(stored.a), await readTensor(stored.b)]
  const [rank, inputs] = stored.a.shape as [number, number]
  let row = 0
  for await (const values of pieces) {
    const before = values.slice()
    const end = row + values.length / inputs
    addLowRank(values, { a, b: b.subarray(row * rank, end * rank) }, scale)
    row = end
    const rounded = roundTo(type, values)
    for (let i = 0; i < values.length; i++) {
      squares.weights += before[i]! ** 2
      squares.added += (values[i]! - before[i]!) ** 2
      squares.rounded += (rounded[i]! - values[i]!) ** 2
    }
    yield rounded
  }
}

/** The values that a type can hold, nearest to these. */
function roundTo(type: WeightType, values: Float32Array): Float32Array {
  if (type === 'F32') return values
  return type === 'BF16' ? widenBfloat16(roundToBfloat16(values)) : widenFloat16(roundToFloat16(values))
}

/** weight [outputs, inputs] += scale x B·A in place, summed in double and rounded once; whole rows with theirs of B will do. */
export function addLowRank(weight: Float32Array, { a, b }: AdapterFactors<Float32Array>, scale: number): void {
  // a is [rank, inputs], b [outputs, rank], weight [outputs, inputs]: a·b / weight = rank².
  const rank = Math.round(Math.sqrt((a.length * b.length) / weight.length))
  const inputs = a.length / rank
  const outputs = b.length / rank
  const row = new Float64Array(inputs)
  for (let o = 0; o < outputs; o++) {
    row.fill(0)
    for (let r = 0; r < rank; r++) {
      const factor = scale * b[o * rank + r]!
      const start = r * inputs
      for (let i = 0; i < inputs; i++) row[i]! += factor * a[start + i]!
    }
    const start = o * inputs
    for (let i = 0; i < inputs; i++) weight[start + i]! += row[i]!
  }
}

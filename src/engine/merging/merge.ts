// Merges a LoRA adapter into a model folder, pieces of each tensor side by side: weight + scale x B·A, in 16 bits where the model has them.
import { UserError } from '../../base/errors.ts'
import { writeFolderAtomic } from '../../base/files.ts'
import { type Adapter, adapterScale, openAdapter } from '../../formats/adapter.ts'
import { nf4Block, scalesOf } from '../../formats/nf4.ts'
import type { QuantisedForm } from '../../formats/quantised-forms.ts'
import type { StoredTensor } from '../../formats/safetensors.ts'
import type { WeightType } from '../../formats/safetensors-writer.ts'
import {
  copyModelFiles,
  copySource,
  openWeights,
  type Weights,
  weightType,
  writeWeights,
} from '../../formats/weights.ts'
import type { MergePiece, MergeWorker, Piece, Squares } from './merge-work.ts'
import { openMergeWorkers, workOnPieces } from './merge-workers.ts'

export interface MergeOptions {
  /** The form that the adapter was trained against a weight in: merged is what its codes stand for. */
  formOf?: (weight: string) => QuantisedForm | undefined
  /** How all weights are stored; each as it was when left out. */
  storedAs?: WeightType | undefined
  /** Cores to use; the outcome does not depend on how many. 1 when left out. */
  threads?: number
  signal?: AbortSignal
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
 * A piece of a tensor a thread is in memory at a time, whatever the model's size. An adapter of another model is a UserError.
 */
export async function mergeAdapter(
  modelFolder: string,
  adapterFolder: string,
  outputFolder: string,
  { formOf = () => undefined, storedAs, threads = 1, signal }: MergeOptions = {},
): Promise<MergeRecord> {
  const weights = await openWeights(modelFolder)
  const adapter = await openAdapter(adapterFolder)
  checkShapes(weights, adapter)
  const type = storedAs ?? weightType(weights)
  const tensors = [...weights.tensors.values()]
  const total: Squares = { weights: 0, added: 0, rounded: 0 }
  const workers = openMergeWorkers(
    tensors.reduce((sum, { bytes }) => sum + bytes, 0),
    threads,
  )
  const sources = tensors.map((weight) => {
    const { name, shape, dtype } = weight
    const own = storedAs ?? (dtype as WeightType)
    const form = formOf(name)
    const factors = adapter.layers.get(name)
    if (form === undefined && factors === undefined && own === dtype) return copySource(weight)
    const change = factors && { factors, scale: adapterScale(adapter.config) }
    const writeTo = async (place: StoredTensor) => {
      for (const squares of await mergeTensor(workers, weight, { form, adapter: change, place }, signal)) {
        total.weights += squares.weights
        total.added += squares.added
        total.rounded += squares.rounded
      }
    }
    return { name, shape, storedAs: own, writeTo }
  })
  try {
    await writeFolderAtomic(outputFolder, async (partial) => {
      await copyModelFiles(modelFolder, partial, type)
      await writeWeights(partial, sources)
    })
  } finally {
    await Promise.all(workers.map((worker) => worker.close()))
  }
  const share = (part: number, whole: number) => (whole === 0 ? 0 : Math.sqrt(part / whole))
  return {
    storedAs: type,
    adapterShare: share(total.added, total.weights),
    roundingShare: share(total.rounded, total.added),
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

/** Merges one tensor; NF4 takes two passes, as each scale depends on all of the weight. */
async function mergeTensor(
  workers: readonly MergeWorker[],
  weight: StoredTensor,
  made: Omit<MergePiece, keyof Piece | 'scales'>,
  signal: AbortSignal | undefined,
): Promise<Squares[]> {
  const pieces = cutRows(weight)
  const measured = made.form === 'nf4' ? await workOnPieces(workers, pieces, measure, signal) : undefined
  const scales = measured && scalesOf(measured)
  const merge = (worker: MergeWorker, piece: Piece) => {
    const [start, end] = [piece.from / nf4Block, (piece.from + piece.count) / nf4Block]
    const own = scales && {
      largest: scales.largest.slice(start, end),
      rounded: scales.rounded.slice(start, end),
    }
    return worker.merge({ ...piece, ...made, scales: own })
  }
  return workOnPieces(workers, pieces, merge, signal)
}

const measure = (worker: MergeWorker, piece: Piece) => worker.measure(piece)

/** Weights of a piece: 4 MB of float32, which a core's cache nearly holds. */
const pieceWeights = 2 ** 20

/** A tensor in pieces of whole rows and whole blocks of NF4. */
function cutRows(weight: StoredTensor): Piece[] {
  const size = weight.shape.reduce((product, dim) => product * dim, 1)
  const row = weight.shape.length === 2 ? weight.shape[1]! : 1
  let unit = row
  while (unit % nf4Block !== 0) unit += row
  const most = unit * Math.max(1, Math.floor(pieceWeights / unit))
  const pieces: Piece[] = []
  for (let from = 0; from < size; from += most) pieces.push({ weight, from, count: Math.min(most, size - from) })
  return pieces
}

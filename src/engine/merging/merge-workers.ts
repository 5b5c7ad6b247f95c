// What pieces are merged by: worker threads for large models, this thread for small ones.
import { startWorker, workerBeside } from '../../base/worker-call.ts'
import { type MergePiece, MergeWork, type MergeWorker, type Piece, type Squares } from './merge-work.ts'

/** Below this, starting threads takes longer than the weights do in this one. */
const bytesWorthThreads = 256 * 2 ** 20

/** Threads take 70 MB each, and with so many the disk is what takes the time. */
const mostWorkers = 16

/** Workers for a model of so many bytes: one a thread and one more, which computes while another reads or writes; or one in this thread. */
export function openMergeWorkers(bytes: number, threads: number): MergeWorker[] {
  if (bytes < bytesWorthThreads || threads === 1) return [new MergeWork()]
  return Array.from({ length: Math.min(threads + 1, mostWorkers) }, () => {
    const remote = startWorker(workerBeside(import.meta.url, 'merge-thread'))
    return {
      measure: (piece: Piece) => remote.call<Float32Array>('measure', piece),
      merge: (piece: MergePiece) => remote.call<Squares>('merge', piece),
      close: () => remote.close(),
    }
  })
}

/** Works on all pieces, as many at once as there are workers; results in their order. After a failure or the signal none is begun. */
export async function workOnPieces<Result>(
  workers: readonly MergeWorker[],
  pieces: readonly Piece[],
  work: (worker: MergeWorker, piece: Piece) => Promise<Result>,
  signal?: AbortSignal,
): Promise<Result[]> {
  const results: Result[] = []
  let next = 0
  const lanes = workers.map(async (worker) => {
    try {
      while (next < pieces.length) {
        signal?.throwIfAborted()
        const number = next++
        results[number] = await work(worker, pieces[number]!)
      }
    } catch (error) {
      next = pieces.length
      throw error
    }
  })
  const ends = await Promise.allSettled(lanes)
  const failed = ends.find((end) => end.status === 'rejected')
  if (failed !== undefined) throw failed.reason
  return results
}

// The worker thread that pieces are merged in.
import { serve } from '../../base/worker-call.ts'
import { type MergePiece, MergeWork, type Piece } from './merge-work.ts'

const work = new MergeWork()

serve({
  async *measure(piece: Piece) {
    yield await work.measure(piece)
  },
  async *merge(piece: MergePiece) {
    yield await work.merge(piece)
  },
})

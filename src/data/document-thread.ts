// The worker thread that documents are worked on in.
import { internal } from '../base/errors.ts'
import { serve } from '../base/worker-call.ts'
import { loadTokenizer } from '../tokenizer/tokenizer.ts'
import { type DocumentBatch, DocumentWork, type WorkSettings } from './document-work.ts'

let work: DocumentWork | undefined

serve({
  async *open({ tokenizerFolder, settings }: { tokenizerFolder: string; settings: WorkSettings }) {
    work = new DocumentWork(await loadTokenizer(tokenizerFolder), settings)
    yield work.tooGeneral
  },
  async *look(batch: DocumentBatch) {
    yield await (work ?? internal('not opened')).look(batch)
  },
  async *tokenise(kept: number[]) {
    yield await (work ?? internal('not opened')).tokenise(kept)
  },
})

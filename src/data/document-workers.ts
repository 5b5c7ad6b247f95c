// Opens what documents are worked on by: worker threads for many texts, this thread for few.
import { type RemoteWorker, startWorker, workerBeside } from '../base/worker-call.ts'
import { loadTokenizer } from '../tokenizer/tokenizer.ts'
import {
  type DocumentLook,
  DocumentWork,
  type DocumentWorker,
  type TokenisedBatch,
  type WorkSettings,
} from './document-work.ts'

/** Below this, reading the tokenizer in every thread takes longer than the texts do in this one. */
const bytesWorthThreads = 4_000_000

/** Workers for texts of so many bytes: one a thread, or one in this thread. */
export async function openDocumentWorkers(
  tokenizerFolder: string,
  settings: WorkSettings,
  bytes: number,
  threads: number,
): Promise<DocumentWorker[]> {
  if (bytes < bytesWorthThreads) return [new DocumentWork(await loadTokenizer(tokenizerFolder), settings)]
  const remotes = Array.from({ length: threads }, () => startWorker(workerBeside(import.meta.url, 'document-thread')))
  try {
    return await Promise.all(remotes.map((remote) => openThread(remote, tokenizerFolder, settings)))
  } catch (error) {
    await Promise.all(remotes.map((remote) => remote.close()))
    throw error
  }
}

async function openThread(
  remote: RemoteWorker,
  tokenizerFolder: string,
  settings: WorkSettings,
): Promise<DocumentWorker> {
  return {
    tooGeneral: await remote.call<string[]>('open', { tokenizerFolder, settings }),
    look: (batch) => remote.call<DocumentLook[]>('look', batch),
    tokenise: (kept) => remote.call<TokenisedBatch>('tokenise', kept),
    close: () => remote.close(),
  }
}

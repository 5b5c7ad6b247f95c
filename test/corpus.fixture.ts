// Prepares a corpus in threads, in a process of its own that can be killed: TEXTS FOLDER TOKENIZER SAVE_EVERY_CHARACTERS.
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { writeJson } from '../src/base/files.ts'
import { prepareCorpus } from '../src/data/corpus.ts'
import { openDocumentWorkers } from '../src/data/document-workers.ts'
import { readDocuments } from '../src/data/documents.ts'

const [texts = '', folder = '', tokenizer = '', saveEvery = ''] = process.argv.slice(2)
const { size: bytes } = await stat(texts)
const settings = { seed: 1, heldOutShare: 0.05, duplicates: 'near', overlapCharacters: 0, exam: [] } as const
const workers = await openDocumentWorkers(tokenizer, settings, bytes, 2)
const meters = [{ bytes: 0 }, { bytes: 0 }]
const work = prepareCorpus({
  // The same texts twice: what the second source holds was all seen by the first, across a kill too.
  sources: meters.map((meter, i) => ({
    name: `texts ${i}`,
    role: i === 0 ? 'domain' : 'general',
    epochs: 1.5,
    documents: readDocuments(texts, 'text', meter),
    size: { bytes, meter },
  })),
  workers,
  examItems: 0,
  seed: 1,
  saveEveryCharacters: Number(saveEvery),
  files: {
    training: join(folder, 'training.jsonl'),
    heldOut: join(folder, 'held-out.jsonl'),
    general: join(folder, 'general.jsonl'),
  },
})
let step = await work.next()
for (; !step.done; step = await work.next()) process.stdout.write(`${JSON.stringify(step.value)}\n`)
await writeJson(join(folder, 'counts.json'), step.value)
await Promise.all(workers.map((worker) => worker.close()))

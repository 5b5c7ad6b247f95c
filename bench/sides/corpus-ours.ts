// The corpus stage's work on a file of texts: JOB REPLY; and the tokenizer's alone on a part of it.
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { readJson, writeJson } from '../../src/base/files.ts'
import { prepareCorpus } from '../../src/data/corpus.ts'
import { openDocumentWorkers } from '../../src/data/document-workers.ts'
import { readDocuments } from '../../src/data/documents.ts'
import { loadExam } from '../../src/exam/exam.ts'
import { loadTokenizer } from '../../src/tokenizer/tokenizer.ts'

export interface CorpusJob {
  work: 'corpus' | 'tokenizer'
  texts: string
  tokenizer: string
  exam: string
  threads: number
  /** The tokenizer alone stops after so many characters. */
  characters: number
}

export interface CorpusReply {
  seconds: number
  /** Of all threads. */
  cpuSeconds: number
  documents: number
  leftOut: number
  tokens: number
}

const [jobFile = '', replyFile = ''] = process.argv.slice(2)
const job = (await readJson(jobFile)) as CorpusJob & { folder: string }
const start = performance.now()
const counted = job.work === 'corpus' ? await prepare() : await tokenise()
const { user, system } = process.cpuUsage()
const reply: CorpusReply = {
  seconds: (performance.now() - start) / 1000,
  cpuSeconds: (user + system) / 1e6,
  ...counted,
}
await writeJson(replyFile, reply)

async function prepare(): Promise<Omit<CorpusReply, 'seconds' | 'cpuSeconds'>> {
  const exam = await loadExam({ path: job.exam, description: 'igakuqa' })
  const { size: bytes } = await stat(job.texts)
  const settings = { seed: 1, heldOutShare: 0.01, duplicates: 'near', overlapCharacters: 40, exam } as const
  const workers = await openDocumentWorkers(job.tokenizer, settings, bytes, job.threads)
  const meter = { bytes: 0 }
  const out = join(job.folder, 'out')
  const work = prepareCorpus({
    sources: [
      {
        name: 'texts',
        role: 'domain',
        epochs: 1,
        documents: readDocuments(job.texts, 'text', meter),
        size: { bytes, meter },
      },
    ],
    workers,
    examItems: exam.length,
    seed: 1,
    files: {
      training: join(out, 'training.jsonl'),
      heldOut: join(out, 'held-out.jsonl'),
      general: join(out, 'general.jsonl'),
    },
  })
  let step = await work.next()
  while (!step.done) step = await work.next()
  await Promise.all(workers.map((worker) => worker.close()))
  const [
    { documents, kept, tokens, heldOut } = { documents: 0, kept: 0, tokens: 0, heldOut: { documents: 0, tokens: 0 } },
  ] = step.value.sources
  return { documents, leftOut: documents - kept - heldOut.documents, tokens: tokens + heldOut.tokens }
}

async function tokenise(): Promise<Omit<CorpusReply, 'seconds' | 'cpuSeconds'>> {
  const tokenizer = await loadTokenizer(job.tokenizer)
  let [documents, tokens, characters] = [0, 0, 0]
  for await (const { text } of readDocuments(job.texts)) {
    if (characters >= job.characters) break
    documents++
    characters += text.length
    tokens += tokenizer.encode(text).length
  }
  return { documents, leftOut: 0, tokens }
}

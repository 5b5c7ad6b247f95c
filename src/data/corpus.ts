// The corpus: documents of all sources cleaned, rid of doubles and of exam questions, divided, tokenised, mixed.
import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { ReadMeter } from '../base/files.ts'
import { mixSources, trainingFile } from './corpus-mixture.ts'
import { CorpusReader, spoolFiles } from './corpus-reader.ts'
import { CorpusSpool } from './corpus-spool.ts'
import type { DocumentWorker } from './document-work.ts'
import type { SourceDocument } from './documents.ts'
import type { CorpusStatistics } from './statistics.ts'

/** Texts that belong together: readDocuments(path), or exam items printed by the caller. */
export interface CorpusSource {
  name: string
  /** domain: the field's own; general: replayed beside them. Their held-out documents are kept apart. */
  role: 'domain' | 'general'
  licence?: string
  /** How often it is read in one pass over the mixture; with a weight, the most that it is read. */
  epochs: number
  /** Share of the mixture in tokens, relative to the other weights. */
  weight?: number
  documents: AsyncIterable<SourceDocument>
  /** Bytes that its files take, and the meter that its reader adds to: for the progress. */
  size?: { bytes: number; meter: ReadMeter }
}

/** How far the corpus is. */
export interface CorpusProgress {
  done: number
  total: number
  unit: 'MB' | 'KB'
  note: string
}

export interface CorpusOptions {
  sources: CorpusSource[]
  /** Work on documents, as many at once as there are; the outcome does not depend on how many. */
  workers: readonly DocumentWorker[]
  /** Exam items that the workers look for. */
  examItems: number
  seed: number
  /** Where TokenRows go, all in one folder: to train on, held out of domain sources, held out of general ones. */
  files: { training: string; heldOut: string; general: string }
  /** Characters between two savings: what a killed run reads again at most. */
  saveEveryCharacters?: number
  signal?: AbortSignal
}

/**
 * Writes the corpus; in memory are a few batches of documents, and what doubles are found by. Every row ends with the
 * end-of-sequence token. Documents are divided by their content, so that equal ones never stand on both sides.
 * The order is the sources' own: who trains shuffles. Yields its progress, and returns what was counted. Killed or
 * stopped at any moment and called again with the same sources and settings, it goes on from what was last saved.
 */
export async function* prepareCorpus(options: CorpusOptions): AsyncGenerator<CorpusProgress, CorpusStatistics> {
  const { files, workers, examItems } = options
  await mkdir(dirname(files.training), { recursive: true })
  const spool = await CorpusSpool.open(dirname(files.training))
  try {
    const { note } = spool
    if (note.finished === undefined) {
      for (const name of Object.values(spoolFiles.heldOut)) await spool.append(name, new Uint8Array())
      yield* new CorpusReader(options, spool).read()
      yield* mixSources(options, spool)
      const tooGeneral = [...(workers[0]?.tooGeneral ?? [])]
      note.finished = {
        sources: note.statistics,
        ...(examItems > 0 && { overlapSearch: { items: examItems, tooGeneral } }),
      }
      await spool.save()
    }
    const { finished } = note
    await spool.deliver({
      [trainingFile(finished.sources)]: files.training,
      [spoolFiles.heldOut.domain]: files.heldOut,
      [spoolFiles.heldOut.general]: files.general,
    })
    return finished
  } finally {
    await spool.close()
  }
}

// Reads a corpus's sources: batches go to the workers, what comes before decides what is double, rows go to the spool in order.
import { internal } from '../base/errors.ts'
import { readChunks } from '../base/files.ts'
import { formatCount } from '../base/format.ts'
import { cleaningKinds } from './clean.ts'
import type { CorpusOptions, CorpusProgress, CorpusSource } from './corpus.ts'
import type { CorpusSpool } from './corpus-spool.ts'
import type { DocumentLook, DocumentWorker, TokenisedBatch } from './document-work.ts'
import type { SourceDocument } from './documents.ts'
import { ExactDuplicates, NearDuplicates, packSketch, sketchBytes, unpackSketch } from './duplicates.ts'
import { type SourceStatistics, startStatistics } from './statistics.ts'

/** Jaccard similarity of 5-character runs from which on texts count as nearly the same. */
const nearSimilarity = 0.85
/** Bytes of a text, from which their number is guessed: rather too many than too few. */
const bytesPerText = 256

/** Documents, and characters of them, that are worked on together: a fraction of a second. */
const batchDocuments = 100
const batchCharacters = 1 << 17
/** Batches under way for each thread: one at work, one that waits for it, one that waits for others. */
const batchesPerThread = 3
/** Characters between two savings: some ten seconds of work. */
const defaultSaveCharacters = 1 << 23
/** Documents that are passed over between two signs of life. */
const passedOverTold = 10_000

const keyBytes = 8

/** Files of the spool. */
export const spoolFiles = {
  rows: (source: number) => `${source}.jsonl`,
  heldOut: { domain: 'held-out.jsonl', general: 'general.jsonl' },
  keys: 'keys.bin',
  sketches: 'sketches.bin',
}

type Reason = keyof SourceStatistics['dropped']

/** A batch after the work, not yet written. */
interface DoneBatch {
  documents: SourceDocument[]
  looks: DocumentLook[]
  /** Why a document is left out. */
  reasons: (Reason | undefined)[]
  rows: TokenisedBatch
}

export class CorpusReader {
  private readonly options: CorpusOptions
  private readonly spool: CorpusSpool
  private readonly exact = new ExactDuplicates()
  private readonly near: NearDuplicates
  private readonly pending: Map<DocumentWorker, number>
  /** Resolves when all batches begun so far are decided: doubles depend on the order. */
  private decided: Promise<void> = Promise.resolve()
  private readonly saveEveryCharacters: number
  private unsavedCharacters = 0

  constructor(options: CorpusOptions, spool: CorpusSpool) {
    this.options = options
    this.saveEveryCharacters = options.saveEveryCharacters ?? defaultSaveCharacters
    this.spool = spool
    this.near = new NearDuplicates(nearSimilarity, this.totalBytes() / bytesPerText)
    this.pending = new Map(options.workers.map((worker) => [worker, 0]))
  }

  /** Reads what is not read yet. Stopped by the signal, all that is written is kept. */
  async *read(): AsyncGenerator<CorpusProgress> {
    await this.recall()
    const { note } = this.spool
    try {
      for (let i = note.source; i < this.options.sources.length; i++) {
        yield* this.readSource(this.options.sources[i]!, i)
        note.source = i + 1
        note.documents = 0
        await this.spool.save()
      }
    } catch (error) {
      if (this.options.signal?.aborted && error === this.options.signal.reason) await this.spool.save()
      throw error
    }
  }

  private async *readSource(source: CorpusSource, index: number): AsyncGenerator<CorpusProgress> {
    const { note } = this.spool
    const counts = note.statistics[index] ?? startStatistics(source)
    note.statistics[index] = counts
    await this.spool.append(spoolFiles.rows(index), new Uint8Array())
    const most = this.options.workers.length > 1 ? batchesPerThread * this.options.workers.length : 1
    const underWay: Promise<DoneBatch>[] = []
    const finishOldest = async () => this.write(await underWay.shift()!, counts, index)
    for await (const documents of this.batches(source.documents, note.documents)) {
      this.options.signal?.throwIfAborted()
      if (documents.length === 0) {
        yield { ...this.progress(index), note: 'reading up to where it stopped' }
        continue
      }
      const work = this.work(documents, source.name)
      work.catch(() => {}) // thrown when its turn comes
      underWay.push(work)
      if (underWay.length < most) continue
      await finishOldest()
      yield this.progress(index)
    }
    while (underWay.length > 0) {
      this.options.signal?.throwIfAborted()
      await finishOldest()
      yield this.progress(index)
    }
  }

  /** Documents in batches, the first `done` of them passed over; an empty batch now and then while they are. */
  private async *batches(documents: AsyncIterable<SourceDocument>, done: number): AsyncGenerator<SourceDocument[]> {
    let batch: SourceDocument[] = []
    let characters = 0
    let passedOver = 0
    for await (const document of documents) {
      if (passedOver < done) {
        if (++passedOver % passedOverTold === 0) yield []
        continue
      }
      batch.push(document)
      characters += document.text.length
      if (batch.length < batchDocuments && characters < batchCharacters) continue
      yield batch
      batch = []
      characters = 0
    }
    if (batch.length > 0) yield batch
  }

  private async work(documents: SourceDocument[], source: string): Promise<DoneBatch> {
    const { pending } = this
    const [[worker] = internal('no workers')] = [...pending].sort(([, a], [, b]) => a - b)
    pending.set(worker, pending.get(worker)! + 1)
    const before = this.decided
    let decide = () => {}
    this.decided = new Promise((resolve) => (decide = resolve))
    try {
      const looks = await worker.look({ source, documents })
      await before
      const reasons = looks.map((look) => this.reasonToDrop(look))
      decide()
      const kept = reasons.flatMap((reason, i) => (reason === undefined ? [i] : []))
      return { documents, looks, reasons, rows: await worker.tokenise(kept) }
    } finally {
      decide()
      pending.set(worker, pending.get(worker)! - 1)
    }
  }

  private reasonToDrop({ isEmpty, overlaps, key, sketch }: DocumentLook): Reason | undefined {
    if (isEmpty) return 'empty'
    if (overlaps.length > 0) return 'examOverlap'
    if (key !== undefined && this.exact.add(key)) return 'duplicate'
    return sketch !== undefined && this.near.add(sketch) ? 'nearDuplicate' : undefined
  }

  private async write(batch: DoneBatch, counts: SourceStatistics, index: number): Promise<void> {
    const { spool } = this
    const { documents, looks, reasons, rows } = batch
    let kept = 0
    for (const [i, { characters, cleaned, overlaps, isHeldOut }] of looks.entries()) {
      counts.documents++
      this.unsavedCharacters += characters
      for (const kind of cleaningKinds) if (cleaned?.[kind]) counts.cleaned[kind]++
      const reason = reasons[i]
      if (reason !== undefined) {
        counts.dropped[reason]++
        for (const overlap of overlaps) counts.overlaps.push({ document: documents[i]!.id, ...overlap })
        continue
      }
      const tokens = rows.tokens[kept++]!
      if (isHeldOut) {
        counts.heldOut.documents++
        counts.heldOut.tokens += tokens
      } else {
        counts.kept++
        counts.characters += characters
        counts.tokens += tokens
      }
    }
    await spool.append(spoolFiles.rows(index), rows.training)
    await spool.append(spoolFiles.heldOut[counts.role], rows.heldOut)
    await this.remember(batch)
    spool.note.documents += documents.length
    if (this.unsavedCharacters < this.saveEveryCharacters) return
    this.unsavedCharacters = 0
    await spool.save()
  }

  /** Writes down what doubles are found by, so that a killed run need not look at the texts again. */
  private async remember({ looks, reasons }: DoneBatch): Promise<void> {
    const isNew = (i: number) => reasons[i] === undefined
    const keys = looks.flatMap(({ key }, i) =>
      key !== undefined && (isNew(i) || reasons[i] === 'nearDuplicate') ? key : [],
    )
    const sketches = looks.flatMap(({ sketch }, i) => (sketch !== undefined && isNew(i) ? packSketch(sketch) : []))
    if (keys.length > 0) await this.spool.append(spoolFiles.keys, new Uint8Array(BigUint64Array.from(keys).buffer))
    if (sketches.length > 0) await this.spool.append(spoolFiles.sketches, Buffer.concat(sketches))
  }

  /** Remembers what a killed run had seen. */
  private async recall(): Promise<void> {
    const { keys, sketches } = spoolFiles
    for await (const bytes of this.records(keys, keyBytes)) this.exact.add(Buffer.from(bytes).readBigUInt64LE())
    for await (const bytes of this.records(sketches, sketchBytes)) this.near.remember(unpackSketch(bytes))
  }

  private async *records(name: string, size: number): AsyncGenerator<Uint8Array> {
    let left = this.spool.size(name)
    if (left === 0) return
    let rest = Buffer.alloc(0)
    for await (const chunk of readChunks(this.spool.path(name))) {
      const bytes = Buffer.concat([rest, chunk])
      let start = 0
      for (; start + size <= bytes.length && left > 0; start += size, left -= size)
        yield bytes.subarray(start, start + size)
      rest = bytes.subarray(start)
    }
  }

  private totalBytes(): number {
    return this.options.sources.reduce((sum, { size }) => sum + (size?.bytes ?? 0), 0)
  }

  private progress(index: number): CorpusProgress {
    const { statistics } = this.spool.note
    const total = this.totalBytes()
    const done = this.options.sources.reduce(
      (sum, { size }, i) => sum + (size === undefined ? 0 : i < index ? size.bytes : size.meter.bytes),
      0,
    )
    const [unit, scale] = total < 1e7 ? (['KB', 1e3] as const) : (['MB', 1e6] as const)
    const documents = statistics.reduce((sum, one) => sum + one.documents, 0)
    const kept = statistics.reduce((sum, one) => sum + one.kept + one.heldOut.documents, 0)
    const note = `${formatCount(documents)} documents, ${formatCount(documents - kept)} left out`
    return { done: Math.min(done, total) / scale, total: total / scale, unit, note }
  }
}

// What is done with documents one by one, wherever the others are: cleaned, looked over, tokenised. It runs in worker threads.
import { Random } from '../base/random.ts'
import type { Tokenizer } from '../tokenizer/tokenizer.ts'
import { type Cleaning, cleanText } from './clean.ts'
import type { SourceDocument } from './documents.ts'
import { type Sketch, sketchText, textKey } from './duplicates.ts'
import { ExamOverlap, type ExamText, type Overlap } from './exam-overlap.ts'
import type { TokenRow } from './records.ts'

export interface WorkSettings {
  seed: number
  /** Seeded share of documents that is never trained on. */
  heldOutShare: number
  /** keep: documents may come again; exact: the same text once; near: texts that are nearly the same once. */
  duplicates: 'keep' | 'exact' | 'near'
  /** A document that shares a run this long with one of `exam`, or holds a near copy, is left out; 0 turns it off. */
  overlapCharacters: number
  exam: readonly ExamText[]
}

/** Documents of one source that are worked on together. */
export interface DocumentBatch {
  source: string
  documents: SourceDocument[]
}

/** What is seen of a document. */
export interface DocumentLook {
  /** UTF-16 units of the cleaned text, completion included. */
  characters: number
  /** Missing where nothing was cleaned, as in prompts with completions. */
  cleaned?: Cleaning
  isEmpty: boolean
  overlaps: Overlap[]
  /** To find doubles by, where they are looked for. */
  key?: bigint
  sketch?: Sketch
  isHeldOut: boolean
}

/** The rows of a batch's documents that stay, as JSON Lines, and the tokens of each. */
export interface TokenisedBatch {
  training: Uint8Array
  heldOut: Uint8Array
  tokens: number[]
}

/** Works on one batch after another, several of which may be under way. */
export interface DocumentWorker {
  /** Exam items that are too general to be found. */
  readonly tooGeneral: readonly string[]
  /** Cleans and looks over a batch, which is kept until it is tokenised. */
  look(batch: DocumentBatch): Promise<DocumentLook[]>
  /** Tokenises the oldest batch that was looked over: the documents that stay, by index. */
  tokenise(kept: readonly number[]): Promise<TokenisedBatch>
  close(): Promise<void>
}

/** The work itself, in the thread that calls it. */
export class DocumentWork implements DocumentWorker {
  readonly tooGeneral: readonly string[]
  private readonly tokenizer: Tokenizer
  private readonly settings: WorkSettings
  private readonly overlap: ExamOverlap | undefined
  private readonly waiting: { source: string; documents: SourceDocument[]; looks: DocumentLook[] }[] = []

  constructor(tokenizer: Tokenizer, settings: WorkSettings) {
    const { exam, overlapCharacters } = settings
    this.tokenizer = tokenizer
    this.settings = settings
    if (overlapCharacters > 0 && exam.length > 0) this.overlap = new ExamOverlap(exam, overlapCharacters)
    this.tooGeneral = this.overlap?.tooGeneral ?? []
  }

  async look({ source, documents }: DocumentBatch): Promise<DocumentLook[]> {
    const cleaned = documents.map(clean)
    const looks = cleaned.map(({ document, changed }) => this.lookAt(document, changed))
    this.waiting.push({ source, documents: cleaned.map(({ document }) => document), looks })
    return looks
  }

  async tokenise(kept: readonly number[]): Promise<TokenisedBatch> {
    const { source, documents, looks } = this.waiting.shift()!
    const lines = { training: '', heldOut: '' }
    const tokens = kept.map((index) => {
      const row = this.rowOf(documents[index]!, source)
      lines[looks[index]!.isHeldOut ? 'heldOut' : 'training'] += `${JSON.stringify(row)}\n`
      return row.tokens.length
    })
    const encoder = new TextEncoder()
    return { training: encoder.encode(lines.training), heldOut: encoder.encode(lines.heldOut), tokens }
  }

  async close(): Promise<void> {}

  private lookAt(document: SourceDocument, cleaned: Cleaning | undefined): DocumentLook {
    const { seed, heldOutShare, duplicates } = this.settings
    const content = document.text + (document.completion ?? '')
    const look: DocumentLook = {
      characters: content.length,
      ...(cleaned && { cleaned }),
      isEmpty: content.trim() === '',
      overlaps: [],
      isHeldOut: false,
    }
    if (look.isEmpty) return look
    look.overlaps = this.overlap?.find(content) ?? []
    if (look.overlaps.length > 0) return look
    if (duplicates !== 'keep') look.key = textKey(content)
    const sketch = duplicates === 'near' ? sketchText(content) : undefined
    if (sketch !== undefined) look.sketch = sketch
    look.isHeldOut = new Random(seed, 'held-out', content).uniform() < heldOutShare
    return look
  }

  private rowOf({ id, text, completion }: SourceDocument, source: string): TokenRow {
    const { tokenizer } = this
    const tokens = tokenizer.encode(text)
    if (completion === undefined) return { id, source, tokens: [...tokens, tokenizer.endToken], lossFrom: 1 }
    const all = [...tokens, ...tokenizer.encodeContinuation(completion), tokenizer.endToken]
    return { id, source, tokens: all, lossFrom: tokens.length }
  }
}

/** Prompts with completions are taken as they are: they are printed just so elsewhere. */
function clean(document: SourceDocument): { document: SourceDocument; changed?: Cleaning } {
  if (document.completion !== undefined) return { document }
  const { text, changed } = cleanText(document.text)
  return { document: { ...document, text }, changed }
}

// Writes lists of token ids as an Arrow data set folder: the form that Hugging Face's `datasets` saves and loads (DatasetDict),
// and maps into memory, so that the processes of a machine share one copy and read what they need of it.
import { type FileHandle, open, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { Field, Int32, List, makeData, Null, RecordBatch, Schema, Struct, Table, tableToIPC } from 'apache-arrow'
import { internal } from '../base/errors.ts'
import { hashJson, writeError, writeFileAtomic, writeFolderAtomic, writeJson } from '../base/files.ts'

type Row = Readonly<Record<string, readonly number[]>>

/** One split: rows of int32 lists, a list a column. Every row has every column; `nullColumns` are there, but empty. */
export interface ArrowSplit {
  name: string
  columns: readonly string[]
  nullColumns?: readonly string[]
  rows: Iterable<Row> | AsyncIterable<Row>
}

/** How much is gathered before it is written, and how much stands in one file: 16 MB, and the 500 MB that `datasets` has by default. */
export interface ArrowSizes {
  batchNumbers: number
  fileNumbers: number
}
const usualSizes: ArrowSizes = { batchNumbers: 4_000_000, fileNumbers: 125_000_000 }

/**
 * Writes the folder (renamed into place last). Memory is bounded: a split becomes as many files as it needs, each as many
 * batches.
 * @returns rows of each split.
 */
export async function writeArrowDataset(
  folder: string,
  splits: readonly ArrowSplit[],
  sizes = usualSizes,
): Promise<Record<string, number>> {
  const counts: Record<string, number> = {}
  await writeFolderAtomic(folder, async (partial) => {
    await writeJson(join(partial, 'dataset_dict.json'), { splits: splits.map(({ name }) => name) })
    for (const split of splits) counts[split.name] = await writeSplit(join(partial, split.name), split, sizes)
  })
  return counts
}

async function writeSplit(
  folder: string,
  { columns, nullColumns = [], rows }: ArrowSplit,
  { batchNumbers, fileNumbers }: ArrowSizes,
): Promise<number> {
  await writeFileAtomic(join(folder, 'dataset_info.json'), '{}\n')
  const batch = new Batch(columns, nullColumns)
  const files = new StreamFiles(folder)
  let count = 0
  let inFile = 0
  const flush = async () => {
    await files.append(batch.encode())
    inFile += batch.numbers
    batch.clear()
    if (inFile < fileNumbers) return
    await files.endFile()
    inFile = 0
  }
  try {
    for await (const row of rows) {
      batch.add(row)
      count++
      if (batch.numbers >= batchNumbers) await flush()
    }
    if (batch.rows > 0 || count === 0) await flush()
  } finally {
    await files.endFile()
  }
  await writeJson(join(folder, 'state.json'), {
    _data_files: (await files.nameAll()).map((filename) => ({ filename })),
    _fingerprint: hashJson({ columns, count }).slice(0, 16),
    _format_columns: null,
    _format_kwargs: {},
    _format_type: null,
    _output_all_columns: false,
    _split: null,
  })
  return count
}

/** Rows gathered column by column. */
class Batch {
  rows = 0
  numbers = 0
  private readonly columns: readonly string[]
  private readonly nullColumns: readonly string[]
  private values: Int32Array[] = []
  private offsets: number[][] = []

  constructor(columns: readonly string[], nullColumns: readonly string[]) {
    this.columns = columns
    this.nullColumns = nullColumns
    this.clear()
  }

  add(row: Row): void {
    for (const [i, column] of this.columns.entries()) {
      const list = row[column] ?? internal(`a row without ${column}`)
      const offsets = this.offsets[i]!
      const start = offsets.at(-1)!
      const end = start + list.length
      let values = this.values[i]!
      if (end > values.length) {
        values = new Int32Array(Math.max(end, 2 * values.length))
        values.set(this.values[i]!.subarray(0, start))
        this.values[i] = values
      }
      values.set(list, start)
      offsets.push(end)
      this.numbers += list.length
    }
    this.rows++
  }

  clear(): void {
    this.rows = 0
    this.numbers = 0
    this.offsets = this.columns.map(() => [0])
    this.values = this.columns.map((_, i) => this.values[i] ?? new Int32Array())
  }

  /** The rows as an Arrow stream. */
  encode(): Uint8Array {
    const listType = new List(new Field('item', new Int32(), true))
    const lists = this.offsets.map((offsets, i) => {
      const length = offsets.at(-1)!
      const child = makeData({ type: new Int32(), data: this.values[i]!.subarray(0, length), length })
      return makeData({ type: listType, valueOffsets: Int32Array.from(offsets), child, length: this.rows })
    })
    const nulls = this.nullColumns.map(() => makeData({ type: new Null(), length: this.rows }))
    const fields = [
      ...this.columns.map((name) => new Field(name, listType, true)),
      ...this.nullColumns.map((name) => new Field(name, new Null(), true)),
    ]
    const data = makeData({ type: new Struct(fields), children: [...lists, ...nulls], length: this.rows })
    return tableToIPC(new Table([new RecordBatch(new Schema(fields), data as never)]), 'stream')
  }
}

/** Arrow streams in files that are numbered through: each is the schema's message, batches, and an end. */
class StreamFiles {
  private readonly folder: string
  private readonly names: string[] = []
  private file: FileHandle | undefined

  constructor(folder: string) {
    this.folder = folder
  }

  /** Adds the batches of a whole stream to the file that is begun, or begins one. */
  async append(stream: Uint8Array): Promise<void> {
    // A message: a mark of 4 bytes, its length in 4 bytes, itself. The end: the mark and the length 0.
    const messages = new DataView(stream.buffer, stream.byteOffset)
    const schemaBytes = 8 + messages.getInt32(4, true)
    await this.write(stream.subarray(this.file === undefined ? 0 : schemaBytes, stream.length - endOfStream.length))
  }

  async endFile(): Promise<void> {
    const { file } = this
    if (file === undefined) return
    try {
      await this.write(endOfStream)
      await file.sync()
    } finally {
      this.file = undefined
      await file.close()
    }
  }

  /** Names the files as `datasets` does, now that their number is known; returns the names. */
  nameAll(): Promise<string[]> {
    const digits = (number: number) => String(number).padStart(5, '0')
    return Promise.all(
      this.names.map(async (path, i) => {
        const name = `data-${digits(i)}-of-${digits(this.names.length)}.arrow`
        await rename(path, join(this.folder, name))
        return name
      }),
    )
  }

  private async write(bytes: Uint8Array): Promise<void> {
    const path = (this.file && this.names.at(-1)) ?? join(this.folder, `part-${this.names.length}.arrow`)
    try {
      if (this.file === undefined) {
        this.file = await open(path, 'w')
        this.names.push(path)
      }
      await this.file.writeFile(bytes)
    } catch (error) {
      throw writeError(path, error)
    }
  }
}

const endOfStream = Uint8Array.of(255, 255, 255, 255, 0, 0, 0, 0)

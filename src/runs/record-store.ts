// Records with numbers, kept in a file: appended in any order, read in the order of their numbers, one in memory at a time.
// JSON Lines that survive a kill; a torn last line is cut off.
import { type FileHandle, mkdir, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { readChunks, writeError } from '../base/files.ts'
import { LineIndex } from '../base/line-index.ts'

const lineFeed = 10

export class RecordStore<T> {
  private readonly path: string
  private readonly file: FileHandle
  /** Bytes of whole lines. */
  private end = 0
  private readonly lines = new LineIndex()
  /** Of each number, its record's line, -1 where it has none. */
  private readonly lineOf: Int32Array

  private constructor(path: string, file: FileHandle, count: number) {
    this.path = path
    this.file = file
    this.lineOf = new Int32Array(count).fill(-1)
  }

  /**
   * Opens a store with room for the numbers 0 to count - 1, and what a killed run left in its file.
   * @param numberOf a record's number; records without one are passed over. Of several with one number the last counts.
   */
  static async open<T>(
    path: string,
    count: number,
    numberOf: (record: T) => number | undefined,
  ): Promise<RecordStore<T>> {
    try {
      await mkdir(dirname(path), { recursive: true })
      const store = new RecordStore<T>(path, await open(path, 'a+'), count)
      await store.recall(numberOf)
      return store
    } catch (error) {
      throw writeError(path, error)
    }
  }

  has(number: number): boolean {
    return this.lineOf[number]! >= 0
  }

  /** How many numbers have a record. */
  count(): number {
    return this.lineOf.reduce((sum, line) => sum + (line >= 0 ? 1 : 0), 0)
  }

  /** A full disk is a UserError. */
  async append(number: number, record: T): Promise<void> {
    const line = Buffer.from(`${JSON.stringify(record)}\n`)
    try {
      await this.file.appendFile(line)
    } catch (error) {
      throw writeError(this.path, error)
    }
    this.note(number, line.length)
  }

  /** The record of a number that has one. */
  async read(number: number): Promise<T> {
    return (await this.lines.read(this.file, this.lineOf[number]!)) as T
  }

  close(): Promise<void> {
    return this.file.close()
  }

  private note(number: number | undefined, length: number): void {
    if (number !== undefined) this.lineOf[number] = this.lines.add(this.end, length)
    this.end += length
  }

  private async recall(numberOf: (record: T) => number | undefined): Promise<void> {
    let rest: Buffer[] = []
    reading: for await (const chunk of readChunks(this.path)) {
      let start = 0
      for (let end = chunk.indexOf(lineFeed); end >= 0; end = chunk.indexOf(lineFeed, start)) {
        const line = Buffer.concat([...rest, chunk.subarray(start, end + 1)])
        rest = []
        start = end + 1
        let record: T
        try {
          record = JSON.parse(line.toString()) as T
        } catch {
          break reading // nothing behind a broken line can be trusted to be whole
        }
        this.note(numberOf(record), line.length)
      }
      rest.push(chunk.subarray(start))
    }
    await this.file.truncate(this.end)
  }
}

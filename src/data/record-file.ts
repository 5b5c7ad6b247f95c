// Records of a JSON Lines file that does not fit memory: looked over once, then read by number when they are needed.
import { type FileHandle, open } from 'node:fs/promises'
import { UserError } from '../base/errors.ts'
import { readError, readJsonLines } from '../base/files.ts'
import { LineIndex } from '../base/line-index.ts'

export class RecordFile<T> {
  readonly path: string
  count = 0
  private readonly lines = new LineIndex()
  /** Size and time of the file that was looked over. */
  private state = ''
  /** What was read last: a long document stands in many rows, one behind the other. */
  private last = new Map<number, T>()

  private constructor(path: string) {
    this.path = path
  }

  /**
   * Looks every record over, one in memory at a time.
   * @param look is given each record; what it returns is wrong with it.
   * @throws UserError naming file and line.
   */
  static async open<T>(
    path: string,
    look: (value: unknown, number: number) => string | undefined,
  ): Promise<RecordFile<T>> {
    if (path.endsWith('.gz')) {
      throw new UserError(
        `${path}: records are read from it in any order, which gzip does not allow. Unpack it (gunzip).`,
      )
    }
    const records = new RecordFile<T>(path)
    records.state = await records.withFile(describeState)
    for await (const { value, line, start, length } of readJsonLines(path)) {
      const problem = look(value, records.count)
      if (problem !== undefined) throw new UserError(`${path}:${line}: ${problem}`)
      records.count = records.lines.add(start, length) + 1
    }
    return records
  }

  /** The records of these numbers, in this order. */
  async read(numbers: readonly number[]): Promise<T[]> {
    const { last } = this
    const wanted = new Set(numbers)
    const missing = [...wanted].filter((number) => !last.has(number))
    const found = missing.length === 0 ? [] : await this.readLines(missing)
    const records = new Map(missing.map((number, i) => [number, found[i] as T]))
    for (const number of wanted) if (!records.has(number)) records.set(number, last.get(number) as T)
    this.last = records
    return numbers.map((number) => records.get(number) as T)
  }

  private async readLines(numbers: readonly number[]): Promise<unknown[]> {
    return this.withFile(async (file) => {
      if ((await describeState(file)) === this.state) {
        return Promise.all(numbers.map((number) => this.lines.read(file, number)))
      }
      throw new UserError(`${this.path}: was changed while it was read. Run again.`)
    })
  }

  /** Not kept open: nobody has to close it, and what is put in its place is noticed. */
  private async withFile<R>(work: (file: FileHandle) => Promise<R>): Promise<R> {
    const file = await open(this.path).catch((error) => {
      throw readError(this.path, error)
    })
    try {
      return await work(file)
    } finally {
      await file.close()
    }
  }
}

async function describeState(file: FileHandle): Promise<string> {
  const { ino, size, mtimeMs } = await file.stat()
  return `${ino} ${size} ${mtimeMs}`
}

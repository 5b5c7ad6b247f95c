// Writes JSON Lines record by record, so that no file has to be held in memory; renamed into place when complete.
// Unlike base/files it always uses the same name until then, so that what a killed run left is overwritten by the next.
import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { writeError } from '../base/files.ts'

/** Characters that are gathered before they are written. */
const pieceLength = 1 << 20

export class JsonLinesWriter {
  private readonly path: string
  private readonly partial: string
  private readonly file: FileHandle
  private gathered = ''

  private constructor(path: string, partial: string, file: FileHandle) {
    this.path = path
    this.partial = partial
    this.file = file
  }

  static async open(path: string): Promise<JsonLinesWriter> {
    const partial = `${path}.partial`
    try {
      await mkdir(dirname(path), { recursive: true })
      return new JsonLinesWriter(path, partial, await open(partial, 'w'))
    } catch (error) {
      throw writeError(path, error)
    }
  }

  /** A full disk is a UserError, here and in close. */
  async write(record: unknown): Promise<void> {
    this.gathered += `${JSON.stringify(record)}\n`
    if (this.gathered.length >= pieceLength) await this.flush()
  }

  /** Completes the file. */
  async close(): Promise<void> {
    await this.flush()
    await this.file.sync()
    await this.file.close()
    await rename(this.partial, this.path)
  }

  /** Leaves nothing behind. */
  async discard(): Promise<void> {
    await this.file.close().catch(() => {})
    await rm(this.partial, { force: true })
  }

  private async flush(): Promise<void> {
    try {
      await this.file.writeFile(this.gathered)
    } catch (error) {
      throw writeError(this.path, error)
    }
    this.gathered = ''
  }
}

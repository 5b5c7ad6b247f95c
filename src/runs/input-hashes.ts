// Hashes of the files that a recipe names, kept by size and time so that large models are read once.
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { UserError } from '../base/errors.ts'
import { hashFile, hashJson, readError, readJson, writeJson } from '../base/files.ts'

export interface InputFile {
  path: string
  /** Within the input. */
  name: string
}

interface Entry {
  bytes: number
  modified: number
  sha256: string
}

/** Hashes inputs; what it learnt stands in `<runFolder>/hashes.json`, which may be removed at any time. */
export class InputHashes {
  private readonly file: string
  private entries: Record<string, Entry> | undefined
  private changed = false

  constructor(runFolder: string) {
    this.file = join(runFolder, 'hashes.json')
  }

  /** One hash over files' contents and names, which are the same wherever the input lies. */
  async hash(files: readonly InputFile[]): Promise<string> {
    const parts: [string, string][] = []
    for (const { path, name } of files) parts.push([name, await this.hashOne(path)])
    return hashJson(parts)
  }

  /** Writes down what was learnt. */
  async save(): Promise<void> {
    if (this.changed) await writeJson(this.file, this.entries)
    this.changed = false
  }

  private async hashOne(file: string): Promise<string> {
    this.entries ??= await this.load()
    try {
      const { size, mtimeMs } = await stat(file)
      const known = this.entries[file]
      if (known?.bytes === size && known.modified === mtimeMs) return known.sha256
      const sha256 = await hashFile(file)
      this.entries[file] = { bytes: size, modified: mtimeMs, sha256 }
      this.changed = true
      return sha256
    } catch (error) {
      throw readError(file, error)
    }
  }

  private async load(): Promise<Record<string, Entry>> {
    try {
      return (await readJson(this.file)) as Record<string, Entry>
    } catch (error) {
      if (error instanceof UserError) return {}
      throw error
    }
  }
}

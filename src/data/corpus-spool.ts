// What a corpus under way has written: files that grow, and a note of how much of them is whole. A killed run is taken up
// there: what stands behind the note's sizes is cut off.
import { type FileHandle, mkdir, open, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { hasCode } from '../base/errors.ts'
import { readJson, writeError, writeJson } from '../base/files.ts'
import type { CorpusStatistics, SourceStatistics } from './statistics.ts'

/** Raised whenever a note of an earlier form could be misread. */
const format = 1

export interface SpoolNote {
  format: number
  /** The source that is being read, by index, and how many of its documents are done. */
  source: number
  documents: number
  statistics: SourceStatistics[]
  /** Bytes of each file that are whole. */
  sizes: Record<string, number>
  /** There when nothing is left to do but to move files into place. */
  finished?: CorpusStatistics
}

export class CorpusSpool {
  note: SpoolNote
  private readonly folder: string
  private readonly noteFile: string
  private readonly files = new Map<string, FileHandle>()
  private readonly sizes = new Map<string, number>()

  private constructor(folder: string, noteFile: string, note: SpoolNote) {
    this.folder = folder
    this.noteFile = noteFile
    this.note = note
    for (const [name, size] of Object.entries(note.sizes)) this.sizes.set(name, size)
  }

  /** @param folder of the corpus; the files lie below it until they are moved. */
  static async open(folder: string): Promise<CorpusSpool> {
    const spoolFolder = join(folder, 'spool')
    const noteFile = join(folder, 'progress.json')
    const note = await readNote(noteFile, spoolFolder)
    if (note === undefined) {
      await rm(noteFile, { force: true })
      await rm(spoolFolder, { recursive: true, force: true })
    }
    await mkdir(spoolFolder, { recursive: true })
    return new CorpusSpool(
      spoolFolder,
      noteFile,
      note ?? { format, source: 0, documents: 0, statistics: [], sizes: {} },
    )
  }

  path(name: string): string {
    return join(this.folder, name)
  }

  /** Whole bytes of a file, and those that were added since. */
  size(name: string): number {
    return this.sizes.get(name) ?? 0
  }

  /** Adds to a file. A full disk is a UserError. */
  async append(name: string, bytes: Uint8Array): Promise<void> {
    try {
      const file = this.files.get(name) ?? (await this.openFile(name))
      await file.writeFile(bytes)
    } catch (error) {
      throw writeError(this.path(name), error)
    }
    this.sizes.set(name, this.size(name) + bytes.length)
  }

  /** Begins a file anew. */
  async empty(name: string): Promise<void> {
    await this.files.get(name)?.close()
    this.files.delete(name)
    this.sizes.set(name, 0)
    await this.append(name, new Uint8Array())
  }

  /** Makes all that was added whole: what is killed from here on is taken up here. */
  async save(): Promise<void> {
    for (const file of this.files.values()) await file.sync()
    this.note.sizes = Object.fromEntries(this.sizes)
    await writeJson(this.noteFile, this.note)
  }

  /** Moves finished files into place and removes the others; done again, it does what is left of that. */
  async deliver(places: Readonly<Record<string, string>>): Promise<void> {
    await this.close()
    for (const [name, place] of Object.entries(places)) {
      await rename(this.path(name), place).catch((error) => {
        if (!hasCode(error, 'ENOENT')) throw writeError(place, error) // moved before it was killed
      })
    }
    await rm(this.folder, { recursive: true, force: true })
  }

  async close(): Promise<void> {
    for (const file of this.files.values()) await file.close()
    this.files.clear()
  }

  private async openFile(name: string): Promise<FileHandle> {
    const file = await open(this.path(name), 'a')
    this.files.set(name, file)
    await file.truncate(this.size(name))
    return file
  }
}

/** The note, unless there is none that can be gone on from. */
async function readNote(file: string, folder: string): Promise<SpoolNote | undefined> {
  try {
    const note = (await readJson(file)) as SpoolNote
    if (note.format !== format) return undefined
    if (note.finished !== undefined) return note
    for (const [name, size] of Object.entries(note.sizes)) {
      if ((await stat(join(folder, name))).size < size) return undefined
    }
    return note
  } catch {
    return undefined
  }
}

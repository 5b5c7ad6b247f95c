// A journal: JSON Lines that grow record by record and survive a kill; a torn last line is dropped.
import { type FileHandle, mkdir, open, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { hasCode } from '../base/errors.ts'
import { readError, writeError, writeJsonLines } from '../base/files.ts'

export interface Journal<T> {
  /** What was there when it was opened. */
  readonly records: readonly T[]
  append(record: T): Promise<void>
  close(): Promise<void>
}

/** The complete records of a journal; none where the file is missing. */
export async function readJournal<T>(file: string): Promise<T[]> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return []
    throw readError(file, error)
  }
  const records: T[] = []
  for (const line of text.slice(0, text.lastIndexOf('\n') + 1).split('\n')) {
    if (line === '') continue
    try {
      records.push(JSON.parse(line) as T)
    } catch {
      break // nothing behind a broken line can be trusted to be whole
    }
  }
  return records
}

/** Opens a journal for appending; `keep` says which of the records that are there stay. */
export async function openJournal<T>(file: string, keep: (record: T) => boolean = () => true): Promise<Journal<T>> {
  const records = (await readJournal<T>(file)).filter(keep)
  await writeJsonLines(file, records)
  let handle: FileHandle
  try {
    await mkdir(dirname(file), { recursive: true })
    handle = await open(file, 'a')
  } catch (error) {
    throw writeError(file, error)
  }
  return {
    records,
    async append(record) {
      try {
        await handle.appendFile(`${JSON.stringify(record)}\n`)
      } catch (error) {
        throw writeError(file, error)
      }
    },
    close: () => handle.close(),
  }
}

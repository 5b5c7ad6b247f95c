// Files: atomic writes, hashes, JSON Lines. What is complete on disk was renamed into place last.
import { createHash, randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { access, type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { pipeline } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { hasCode, isSystemError, messageOf, UserError } from './errors.ts'

/** Writes a file whole or not at all: to a neighbour first, synced, then renamed. A full disk is a UserError. */
export function writeFileAtomic(path: string, data: string | Uint8Array): Promise<void> {
  return fillFileAtomic(path, (file) => file.writeFile(data))
}

/** The same for a file that is written in pieces, by its handle or, from elsewhere, at the place where it lies meanwhile. */
export async function fillFileAtomic(
  path: string,
  fill: (file: FileHandle, partial: string) => Promise<void>,
): Promise<void> {
  const partial = `${path}.${process.pid}-${randomBytes(4).toString('hex')}.partial`
  try {
    await mkdir(dirname(path), { recursive: true })
    const file = await open(partial, 'w')
    try {
      await fill(file, partial)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(partial, path)
  } catch (error) {
    await rm(partial, { force: true }).catch(() => {}) // what went wrong first is what is said
    throw writeError(path, error)
  }
}

/** Whether a path leads to something; a link into nothing does not. */
export async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}

/** The UserError for a failed write (full disk, no permission, no such folder), or the error itself. */
export function writeError(path: string, error: unknown): unknown {
  if (!isSystemError(error)) return error
  const full = error.code === 'EDQUOT' ? 'your share of the disk is used up' : 'the disk is full'
  const message = ['ENOSPC', 'EDQUOT'].includes(error.code ?? '')
    ? `${full}. Free some space (meikai clean) and run again; finished work is kept.`
    : `cannot be written (${error.message}).`
  return new UserError(`${path}: ${message}`, { cause: error })
}

/** Writes a value as indented JSON, atomically. */
export function writeJson(path: string, value: unknown): Promise<void> {
  return writeFileAtomic(path, `${JSON.stringify(value, null, 2)}\n`)
}

/** Reads a JSON file; a missing or broken one is a UserError that names it. */
export async function readJson(path: string): Promise<unknown> {
  const text = await readText(path)
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new UserError(`${path}: not valid JSON (${messageOf(error)}).`, { cause: error })
  }
}

/** How far reading has come, in bytes of the files as they lie on the disk; whoever reads adds to it. */
export interface ReadMeter {
  bytes: number
}

/** Reads a text file, gzip where its name ends in .gz, as strict UTF-8 (a byte-order mark is dropped); missing, unreadable or badly encoded is a UserError. */
export async function readText(path: string, meter?: ReadMeter): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of readChunks(path, meter)) chunks.push(chunk)
  return decodeUtf8(Buffer.concat(chunks), path)
}

/** Decodes strict UTF-8; the UserError names the line of the first bad byte. */
export function decodeUtf8(bytes: Uint8Array, path: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (error) {
    throw new UserError(`${path}: not UTF-8 text (first bad byte in line ${badLine(bytes)}). Convert it to UTF-8.`, {
      cause: error,
    })
  }
}

function badLine(bytes: Uint8Array): number {
  let line = 1
  let start = 0
  for (let i = 0; i <= bytes.length; i++) {
    if (i < bytes.length && bytes[i] !== 10) continue
    try {
      new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(start, i))
    } catch {
      return line
    }
    line++
    start = i + 1
  }
  return line
}

/** The UserError for a failed read. */
export function readError(path: string, error: unknown): unknown {
  if (hasCode(error, 'ENOENT')) return new UserError(`${path}: no such file or folder.`, { cause: error })
  if (hasCode(error, 'EACCES') || hasCode(error, 'EPERM')) {
    return new UserError(`${path}: cannot be read (permission denied).`, { cause: error })
  }
  if (hasCode(error, 'EISDIR')) return new UserError(`${path}: is a folder, a file was expected.`, { cause: error })
  return isSystemError(error) ? new UserError(`${path}: cannot be read (${error.message}).`, { cause: error }) : error
}

/** Serialises records as JSON Lines and writes them atomically. */
export function writeJsonLines(path: string, records: Iterable<unknown>): Promise<void> {
  const lines: string[] = []
  for (const record of records) lines.push(JSON.stringify(record))
  return writeFileAtomic(path, lines.length === 0 ? '' : `${lines.join('\n')}\n`)
}

/** A record of a JSON Lines file, the number of its line, and which bytes of the (unpacked) file are that line. */
export interface JsonLine {
  value: unknown
  line: number
  start: number
  length: number
}

/** Reads JSON Lines (gzip where the name ends in .gz) one record at a time, blank lines skipped; a broken line is a UserError naming file and line. */
export async function* readJsonLines(path: string, meter?: ReadMeter): AsyncGenerator<JsonLine> {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  let line = 0
  let end = -1
  for await (const bytes of readLines(path, meter)) {
    line++
    const start = end + 1
    end = start + bytes.length
    let text: string
    try {
      text = decoder.decode(bytes)
    } catch (error) {
      throw new UserError(`${path}:${line}: not UTF-8 text. Convert the file to UTF-8.`, { cause: error })
    }
    if (text.trim() === '') continue
    let value: unknown
    try {
      value = JSON.parse(text)
    } catch (error) {
      throw new UserError(`${path}:${line}: not valid JSON (${messageOf(error)}). Each line must be one JSON object.`, {
        cause: error,
      })
    }
    yield { value, line, start, length: bytes.length }
  }
}

/** The lines of a file as bytes, line feeds left out, one piece of the file in memory at a time. */
async function* readLines(path: string, meter?: ReadMeter): AsyncGenerator<Uint8Array> {
  let rest: Buffer[] = []
  for await (const chunk of readChunks(path, meter)) {
    let start = 0
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      yield Buffer.concat([...rest, chunk.subarray(start, end)])
      rest = []
      start = end + 1
    }
    if (start < chunk.length) rest.push(chunk.subarray(start))
  }
  if (rest.length > 0) yield Buffer.concat(rest)
}

/** A file's bytes in pieces, unpacked where its name ends in .gz. */
export async function* readChunks(path: string, meter?: ReadMeter): AsyncGenerator<Buffer> {
  const file = createReadStream(path)
  const stream = path.endsWith('.gz') ? pipeline(file, createGunzip(), () => {}) : file
  try {
    let told = 0
    for await (const chunk of stream) {
      if (meter !== undefined) meter.bytes += file.bytesRead - told
      told = file.bytesRead
      yield chunk as Buffer
    }
  } catch (error) {
    if (error instanceof Error && 'code' in error && String(error.code).startsWith('Z_')) {
      throw new UserError(`${path}: damaged or not gzip (${error.message}).`, { cause: error })
    }
    throw readError(path, error)
  } finally {
    file.destroy()
  }
}

/** All records of a JSON Lines file that we wrote ourselves. */
export async function loadJsonLines<T>(path: string): Promise<T[]> {
  const records: T[] = []
  for await (const { value } of readJsonLines(path)) records.push(value as T)
  return records
}

/** SHA-256 of a file's bytes, in hexadecimal. */
export async function hashFile(path: string): Promise<string> {
  const hash = createHash('sha256')
  try {
    for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer)
  } catch (error) {
    throw readError(path, error)
  }
  return hash.digest('hex')
}

/** SHA-256 of a JSON value, whatever the order of its keys. */
export function hashJson(value: unknown): string {
  return createHash('sha256').update(canonicalJson(value)).digest('hex')
}

function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item ?? null)).join(',')}]`
  if (value !== null && typeof value === 'object') {
    const entries = Object.entries(value).filter(([, item]) => item !== undefined)
    entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${canonicalJson(item)}`).join(',')}}`
  }
  return JSON.stringify(value)
}

/** Fills a new folder beside `folder`, then renames it into place; what was there before is replaced. */
export async function writeFolderAtomic(folder: string, fill: (partial: string) => Promise<void>): Promise<void> {
  const partial = `${folder}.${process.pid}-${randomBytes(4).toString('hex')}.partial`
  try {
    await mkdir(partial, { recursive: true })
    await fill(partial)
    await rm(folder, { recursive: true, force: true })
    await rename(partial, folder)
  } catch (error) {
    await rm(partial, { recursive: true, force: true }).catch(() => {})
    throw writeError(folder, error)
  }
}

// The files that a text source names: one file, a folder, or a glob.
import { stat } from 'node:fs/promises'
import { basename, relative } from 'node:path'
import { escapePath, glob, isDynamicPattern } from 'tinyglobby'
import { UserError } from '../base/errors.ts'
import { readError } from '../base/files.ts'

export type TextFormat = 'text' | 'json-lines' | 'parquet'

const extensions: [RegExp, TextFormat][] = [
  [/\.(txt|md)(\.gz)?$/i, 'text'],
  [/\.(jsonl|ndjson)(\.gz)?$/i, 'json-lines'],
  [/\.parquet$/i, 'parquet'],
]

const known = '.txt, .md, .jsonl (each also .gz) and .parquet'

export function formatOf(path: string): TextFormat | undefined {
  return extensions.find(([pattern]) => pattern.test(path))?.[1]
}

export interface TextFile {
  path: string
  /** The path within the source: the same wherever the source lies. */
  name: string
}

/**
 * The files of a source in the order of their names. In folders and globs, files of other kinds are passed over.
 * Throws a UserError when there is none, or when a file named outright is of no known kind.
 */
export async function listTextFiles(path: string): Promise<TextFile[]> {
  const kind = await kindOf(path)
  if (kind === 'file') {
    if (formatOf(path) === undefined) throw new UserError(`${path}: no kind of text that meikai reads: ${known}.`)
    return [{ path, name: basename(path) }]
  }
  const folder = kind === 'folder' ? path : staticFolder(path)
  const pattern = kind === 'folder' ? `${escapePath(path)}/**` : path
  const found = await glob(pattern, { absolute: true, expandDirectories: false })
  const files = found.filter((file) => formatOf(file) !== undefined).sort()
  if (files.length === 0) {
    const place = kind === 'folder' ? 'the folder holds' : 'the pattern matches'
    throw new UserError(`${path}: ${place} no texts. Known are ${known}.`)
  }
  return files.map((file) => ({ path: file, name: relative(folder, file) }))
}

async function kindOf(path: string): Promise<'file' | 'folder' | 'pattern'> {
  try {
    return (await stat(path)).isDirectory() ? 'folder' : 'file'
  } catch (error) {
    if (isDynamicPattern(path)) return 'pattern'
    throw readError(path, error)
  }
}

/** The folders that a pattern starts with. */
function staticFolder(pattern: string): string {
  const parts = pattern.split('/')
  const dynamic = parts.findIndex((part) => isDynamicPattern(part))
  return parts.slice(0, dynamic).join('/') || (pattern.startsWith('/') ? '/' : '.')
}

// Fetching an exam: its files from the set's own home, at the pinned revision, gone on with, checked, the licence beside them.
import { mkdir, open, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
// Not Node's own fetch: that of Node 20 now and then loses the abort of a body that is being read, and waits for ever.
import { type Dispatcher, EnvHttpProxyAgent, fetch } from 'undici'
import { messageOf, UserError } from '../base/errors.ts'
import { hashFile, readText, writeError, writeFileAtomic } from '../base/files.ts'
import type { LoadedDescription } from './description.ts'

export interface FetchProgress {
  /** Files that are there, of all. */
  done: number
  total: number
  path: string
}

export interface FetchResult {
  files: number
  /** Every host that was asked; none where all was there. */
  hosts: string[]
}

/** The note about where the data is from and what may be done with it. */
export const licenceNote = 'SOURCE.txt'

/** Files that are fetched at the same time. */
const AT_ONCE = 4
/** Attempts in a row that bring nothing; the pause before the next is doubled each time. */
const ATTEMPTS = 4
/** Without a byte for so long, a download has broken off. */
const SILENCE_MILLISECONDS = 60_000

interface Wanted {
  path: string
  sha256: string
  url: string
}

interface Connection {
  /** Collects every host that is asked. */
  hosts: Set<string>
  signal: AbortSignal
  /** HTTPS_PROXY, HTTP_PROXY and NO_PROXY; directly where none is set. */
  proxy: Dispatcher
}

/**
 * Fetches what is not there yet. What was half there is gone on with, and every file is checked against its hash.
 * @param pauseSeconds before the second attempt.
 * @throws UserError where the description does not say what to fetch, the home refuses, or a file is not what it must be.
 */
export async function* fetchExam(
  loaded: LoadedDescription,
  folder: string,
  signal: AbortSignal,
  pauseSeconds = 1,
): AsyncGenerator<FetchProgress, FetchResult> {
  const wanted = await listFiles(loaded)
  const hosts = new Set<string>()
  // Before the files, so that no file lies there without it.
  await writeFileAtomic(join(folder, licenceNote), describeSource(loaded))
  const waiting = [...wanted]
  const finished: string[] = []
  const failed = new AbortController()
  const ended = AbortSignal.any([signal, failed.signal])
  const connection: Connection = { hosts, signal: ended, proxy: new EnvHttpProxyAgent() }
  const work = async () => {
    for (let next = waiting.shift(); next !== undefined && !ended.aborted; next = waiting.shift()) {
      await fetchFile(next, folder, connection, pauseSeconds)
      finished.push(next.path)
      wake()
    }
  }
  let wake = () => {}
  const workers = Array.from({ length: AT_ONCE }, work)
  const end: { reached: boolean; error?: unknown } = { reached: false }
  Promise.all(workers)
    .catch((error: unknown) => {
      end.error = error
      failed.abort()
    })
    .then(() => {
      end.reached = true
      wake()
    })
  try {
    for (let done = 0; ; ) {
      for (; done < finished.length; done++) yield { done: done + 1, total: wanted.length, path: finished[done]! }
      if (end.error !== undefined) throw end.error
      if (end.reached) return { files: wanted.length, hosts: [...hosts].sort() }
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
  } finally {
    failed.abort()
    await Promise.allSettled(workers)
    await connection.proxy.destroy()
  }
}

/** What is to be fetched, by the file of hashes beside the description. */
async function listFiles({ description, file }: LoadedDescription): Promise<Wanted[]> {
  const { name, source } = description
  if (source?.download === undefined || source.hashes === undefined) {
    const where = source === undefined ? '' : ` Its home is ${source.home}.`
    throw new UserError(
      `the exam ${name}: its description does not say what to fetch (source: home, revision, download, hashes).${where} Get the data there, and name it with --data.`,
    )
  }
  const { download, revision } = source
  const hashes = join(dirname(file), source.hashes)
  const lines = (await readText(hashes)).split('\n').filter((line) => line !== '')
  return lines.map((line, i) => {
    const [, sha256, path] = /^([0-9a-f]{64}) [ *](.+)$/.exec(line) ?? []
    if (sha256 === undefined || path === undefined || /^\/|(^|\/)\.\.(\/|$)|\\/.test(path)) {
      throw new UserError(
        `${hashes}:${i + 1}: must be a hash, two blanks and a path below the folder, as sha256sum prints.`,
      )
    }
    const encoded = path.split('/').map(encodeURIComponent).join('/')
    return { path, sha256, url: download.replaceAll('{revision}', revision).replaceAll('{path}', encoded) }
  })
}

function describeSource({ description }: LoadedDescription): string {
  const { title, licence, source } = description
  return `${title}\nfrom ${source?.home}, revision ${source?.revision}\nlicence: ${licence}\n`
}

async function fetchFile(
  { path, sha256, url }: Wanted,
  folder: string,
  connection: Connection,
  pauseSeconds: number,
): Promise<void> {
  const file = join(folder, path)
  if ((await sizeOf(file)) > 0 && (await hashFile(file)) === sha256) return
  const partial = `${file}.partial`
  await mkdir(dirname(file), { recursive: true }).catch((error) => {
    throw writeError(file, error)
  })
  for (let fruitless = 0; ; ) {
    const before = await sizeOf(partial)
    try {
      await fetchRest(url, partial, connection)
      break
    } catch (error) {
      connection.signal.throwIfAborted()
      if (error instanceof UserError) throw error
      fruitless = (await sizeOf(partial)) > before ? 0 : fruitless + 1
      if (fruitless === ATTEMPTS) {
        throw new UserError(`${url}: the download broke off (${messageOf(error)}). Run it again to go on from there.`)
      }
      await setTimeout(1000 * pauseSeconds * 2 ** fruitless, undefined, { signal: connection.signal })
    }
  }
  const found = await hashFile(partial)
  if (found !== sha256) {
    await rm(partial)
    throw new UserError(
      `${url}: is not the file that the description pins (SHA-256 ${found}, must be ${sha256}). It was thrown away; look whether its home was changed.`,
    )
  }
  await rename(partial, file)
}

/** Appends what is missing of a file. */
async function fetchRest(url: string, partial: string, { hosts, signal, proxy }: Connection): Promise<void> {
  const from = await sizeOf(partial)
  const silence = new AbortController()
  let watch = globalThis.setTimeout(() => silence.abort(), SILENCE_MILLISECONDS)
  hosts.add(new URL(url).host)
  try {
    const response = await fetch(url, {
      headers: from > 0 ? { range: `bytes=${from}-` } : {},
      signal: AbortSignal.any([signal, silence.signal]),
      dispatcher: proxy,
    })
    hosts.add(new URL(response.url).host)
    // All of it is there already: what was left is the check.
    if (response.status === 416) return
    if (!response.ok) await response.body?.cancel()
    if (response.status >= 500 || response.status === 429) throw new Error(`status ${response.status}`)
    if (!response.ok || response.body === null) {
      throw new UserError(`${url}: answers with status ${response.status}. Is the exam still there?`)
    }
    const file = await open(partial, response.status === 206 ? 'a' : 'w')
    try {
      for await (const chunk of response.body) {
        clearTimeout(watch)
        watch = globalThis.setTimeout(() => silence.abort(), SILENCE_MILLISECONDS)
        await file.write(chunk as Uint8Array).catch((error) => {
          throw writeError(partial, error)
        })
      }
    } finally {
      await file.close()
    }
  } finally {
    clearTimeout(watch)
  }
}

async function sizeOf(file: string): Promise<number> {
  return stat(file).then(
    ({ size }) => size,
    () => 0,
  )
}

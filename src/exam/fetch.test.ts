// Fetching an exam from a home on loopback: pinned, checked, gone on with, its licence beside it.
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { UserError } from '../base/errors.ts'
import { loadDescription } from './description.ts'
import { type FetchResult, fetchExam, licenceNote } from './fetch.ts'

const contents: Record<string, string> = {
  LICENSE: 'Do as you like.',
  'data/2018/112 A.jsonl': '{"id": "112A1"}\n'.repeat(5000),
  'data/empty.txt': '',
  'data/b.jsonl': 'b',
}

let folder: string
let server: Server
let asked: { path: string; range: string | undefined }[]
let serve: (path: string, range: number) => { status: number; body: string; cutAt?: number }
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fetch-'))
  asked = []
  serve = (path, range) => ({ status: range > 0 ? 206 : 200, body: (contents[path] ?? '').slice(range) })
  server = createServer((request, response) => {
    const path = decodeURIComponent(request.url!.replace('/rev-7/', ''))
    asked.push({ path, range: request.headers.range })
    const { status, body, cutAt } = serve(path, Number(/\d+/.exec(request.headers.range ?? '')?.[0] ?? 0))
    response.writeHead(status, { 'content-length': Buffer.byteLength(body) })
    if (cutAt === undefined) response.end(body)
    else response.write(body.slice(0, cutAt), () => setTimeout(() => response.destroy(), 10))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
})
afterEach(async () => {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
  await rm(folder, { recursive: true })
})

const host = () => `127.0.0.1:${(server.address() as AddressInfo).port}`
const into = () => join(folder, 'into')

async function describeExam(hashes?: string): Promise<string> {
  const lines = Object.entries(contents).map(
    ([path, text]) => `${createHash('sha256').update(text).digest('hex')}  ${path}`,
  )
  await writeFile(join(folder, 'exam.sha256'), hashes ?? `${lines.join('\n')}\n`)
  const file = join(folder, 'exam.yaml')
  await writeFile(
    file,
    `name: e\ntitle: An exam\nlayout: items\nlicence: CC0-1.0\nsource: {home: "https://example.org/e", revision: rev-7, download: "http://${host()}/{revision}/{path}", hashes: exam.sha256}\n`,
  )
  return file
}

async function fetchAll(file: string): Promise<FetchResult> {
  const fetching = fetchExam(await loadDescription(file), into(), new AbortController().signal, 0.001)
  for (;;) {
    const { value, done } = await fetching.next()
    if (done) return value
  }
}

async function expectWhole(): Promise<void> {
  for (const [path, text] of Object.entries(contents)) expect(await readFile(join(into(), path), 'utf8')).toBe(text)
  expect((await readdir(into(), { recursive: true })).filter((name) => name.endsWith('.partial'))).toEqual([])
}

it('fetches every file of the revision, and writes down home and licence; a second time asks nobody', async () => {
  const file = await describeExam()
  expect(await fetchAll(file)).toEqual({ files: 4, hosts: [host()] })
  await expectWhole()
  expect(await readFile(join(into(), licenceNote), 'utf8')).toBe(
    'An exam\nfrom https://example.org/e, revision rev-7\nlicence: CC0-1.0\n',
  )
  asked = []
  expect((await fetchAll(file)).files).toBe(4)
  // An empty file cannot be told from a missing one without asking, and costs nothing.
  expect(asked.map(({ path }) => path)).toEqual(['data/empty.txt'])
})

it('goes on where a connection broke off', async () => {
  const path = 'data/2018/112 A.jsonl'
  serve = (wanted, range) => {
    const body = (contents[wanted] ?? '').slice(range)
    return { status: range > 0 ? 206 : 200, body, ...(wanted === path && range < 60_000 && { cutAt: 30_000 }) }
  }
  await fetchAll(await describeExam())
  await expectWhole()
  expect(asked.filter((one) => one.path === path).map(({ range }) => range)).toEqual([
    undefined,
    'bytes=30000-',
    'bytes=60000-',
  ])
})

it('goes on with what an earlier attempt left, and mends a file that was changed', async () => {
  const path = 'data/2018/112 A.jsonl'
  await mkdir(join(into(), 'data/2018'), { recursive: true })
  await writeFile(join(into(), `${path}.partial`), contents[path]!.slice(0, 100))
  await writeFile(join(into(), 'data/b.jsonl'), 'changed')
  await fetchAll(await describeExam())
  await expectWhole()
  expect(asked.find((one) => one.path === path)?.range).toBe('bytes=100-')
})

it('starts anew where the home does not send parts', async () => {
  const path = 'data/2018/112 A.jsonl'
  serve = (wanted) => ({ status: 200, body: contents[wanted] ?? '' })
  await mkdir(join(into(), 'data/2018'), { recursive: true })
  await writeFile(join(into(), `${path}.partial`), 'something else')
  await fetchAll(await describeExam())
  await expectWhole()
})

it('throws away what is not the pinned file, and says so', async () => {
  serve = (path) => ({ status: 200, body: path === 'data/b.jsonl' ? 'x' : (contents[path] ?? '') })
  const failed = fetchAll(await describeExam())
  await expect(failed).rejects.toThrow(UserError)
  await expect(failed).rejects.toThrow(/b\.jsonl: is not the file that the description pins \(SHA-256/)
  expect(await readdir(join(into(), 'data'))).not.toContain('b.jsonl')
})

it.each([
  [404, /b\.jsonl: answers with status 404/, 1],
  [503, /b\.jsonl: the download broke off \(status 503\)\. Run it again/, 4],
])('status %i ends it', async (status, message, attempts) => {
  serve = (path, range) => ({
    status: path === 'data/b.jsonl' ? status : range > 0 ? 206 : 200,
    body: contents[path] ?? '',
  })
  await expect(fetchAll(await describeExam())).rejects.toThrow(message)
  expect(asked.filter(({ path }) => path === 'data/b.jsonl')).toHaveLength(attempts)
})

it.each([
  ['a path that leads out', `${'0'.repeat(64)}  ../escape`],
  ['a path from the root', `${'0'.repeat(64)}  /etc/passwd`],
  ['no hash', 'abc  data/b.jsonl'],
])('%s among the hashes is refused', async (_, line) => {
  await expect(fetchAll(await describeExam(`${line}\n`))).rejects.toThrow(/exam\.sha256:1: must be a hash/)
  expect(asked).toEqual([])
})

it('the shipped exams that can be fetched pin every file', async () => {
  for (const [name, files] of [
    ['igakuqa', 242],
    ['igakuqa119', 23],
  ] as const) {
    const { description, file } = await loadDescription(name)
    expect(description.source).toMatchObject({
      download: expect.stringContaining('{revision}/{path}'),
      hashes: `${name}.sha256`,
    })
    expect((await readFile(file.replace(/yaml$/, 'sha256'), 'utf8')).trim().split('\n')).toHaveLength(files)
  }
  const general = fetchExam(await loadDescription('general'), into(), new AbortController().signal)
  await expect(general.next()).rejects.toThrow(/does not say what to fetch/)
})

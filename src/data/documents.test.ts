// Text sources of every format, and what is wrong with them, by file and line.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readDocuments, type SourceDocument } from './documents.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'documents-'))
})
afterAll(() => rm(folder, { recursive: true }))

async function write(name: string, data: string | Uint8Array): Promise<string> {
  const path = join(folder, name)
  await mkdir(join(path, '..'), { recursive: true })
  await writeFile(path, data)
  return path
}

async function readAll(path: string, column?: string): Promise<SourceDocument[]> {
  const documents: SourceDocument[] = []
  for await (const document of readDocuments(path, column)) documents.push(document)
  return documents
}

// Three rows of columns text and source in two row groups, written by pyarrow 22, with zstd and with Snappy.
const zstdParquet =
  'UEFSMRUEFXwVjgFMFQQVABIAACi1L/0gPvEBACQAAADogrrngo7jga7ljp/lm6Djga/ntLDoj4zjgafjgYLjgovjgIISAAAA6IWO54KO44Gu5rK755mC44CCFQAVEhUkLBUEFRAVBhUGHDYAKBLohY7ngo7jga7msrvnmYLjgIIYJOiCuueCjuOBruWOn+WboOOBr+e0sOiPjOOBp+OBguOCi+OAghERAAAAKLUv/SAJSQAAAgAAAAQBAQMCFQQVFBUmTBUEFQASAAAotS/9IApRAAABAAAAYQEAAABiFQAVEhUkLBUEFRAVBhUGHDYAKAFiGAFhEREAAAAotS/9IAlJAAACAAAABAEBAwIVBBUyFURMFQIVABIAACi1L/0gGckAABUAAADkuInjgaTnm67jga7mlofmm7jjgIIVABUSFSQsFQIVEBUGFQYcNgAoFeS4ieOBpOebruOBruaWh+abuOOAghgV5LiJ44Gk55uu44Gu5paH5pu444CCEREAAAAotS/9IAlJAAACAAAAAgEBAgAVBBUKFRxMFQIVABIAACi1L/0gBSkAAAEAAABjFQAVEhUkLBUCFRAVBhUGHDYAKAFjGAFjEREAAAAotS/9IAlJAAACAAAAAgEBAgAVBBk8NQAYBnNjaGVtYRUEABUMJQIYBHRleHQlAEwcAAAAFQwlAhgGc291cmNlJQBMHAAAABYGGSwZLCYAHBUMGTUABhAZGAR0ZXh0FQwWBBbOAhbyAia0ASYIHDYAKBLohY7ngo7jga7msrvnmYLjgIIYJOiCuueCjuOBruWOn+WboOOBr+e0sOiPjOOBp+OBguOCi+OAghERABksFQQVABUCABUAFRAVAgA8FmwZBhkmAAQAAAAmABwVDBk1AAYQGRgGc291cmNlFQwWBBZ8FqABJrwDJvoCHDYAKAFiGAFhEREAGSwVBBUAFQIAFQAVEBUCADwWBBkGGSYABAAAABbKAxYEJggWkgQAGSwmABwVDBk1AAYQGRgEdGV4dBUMFgIW6gEWjgIm+gQmmgQcNgAoFeS4ieOBpOebruOBruaWh+abuOOAghgV5LiJ44Gk55uu44Gu5paH5pu444CCEREAGSwVBBUAFQIAFQAVEBUCADwWKhkGGSYAAgAAACYAHBUMGTUABhAZGAZzb3VyY2UVDBYCFnIWlgEm4AYmqAYcNgAoAWMYAWMREQAZLBUEFQAVAgAVABUQFQIAPBYCGQYZJgACAAAAFtwCFgImmgQWpAMAGRwYDEFSUk9XOnNjaGVtYRjgAS8vLy8vNkFBQUFBUUFBQUFBQUFLQUF3QUJnQUZBQWdBQ2dBQUFBQUJCQUFNQUFBQUNBQUlBQUFBQkFBSUFBQUFCQUFBQUFJQUFBQkFBQUFBQkFBQUFOai8vLzhBQUFFRkVBQUFBQmdBQUFBRUFBQUFBQUFBQUFZQUFBQnpiM1Z5WTJVQUFNai8vLzhRQUJRQUNBQUdBQWNBREFBQUFCQUFFQUFBQUFBQUFRVVFBQUFBSEFBQUFBUUFBQUFBQUFBQUJBQUFBSFJsZUhRQUFBQUFCQUFFQUFRQUFBQUFBQUFBABggcGFycXVldC1jcHAtYXJyb3cgdmVyc2lvbiAyNi4wLjEZLBwAABwAAAD0AgAAUEFSMQ=='
const snappyParquet =
  'UEFSMRUEFXwVfkwVBBUAEgAAPqAkAAAA6IK654KO44Gu5Y6f5Zug44Gv57Sw6I+M44Gn44GC44KL44CCEgEoQIWO54KO44Gu5rK755mC44CCFQAVEhUWLBUEFRAVBhUGHDYAKBLohY7ngo7jga7msrvnmYLjgIIYJOiCuueCjuOBruWOn+WboOOBr+e0sOiPjOOBp+OBguOCi+OAghERAAAACSACAAAABAEBAwIVBBUUFRhMFQQVABIAAAokAQAAAGEBAAAAYhUAFRIVFiwVBBUQFQYVBhw2ACgBYhgBYRERAAAACSACAAAABAEBAwIVBBUyFTZMFQIVABIAABlgFQAAAOS4ieOBpOebruOBruaWh+abuOOAghUAFRIVFiwVAhUQFQYVBhw2ACgV5LiJ44Gk55uu44Gu5paH5pu444CCGBXkuInjgaTnm67jga7mlofmm7jjgIIREQAAAAkgAgAAAAIBAQIAFQQVChUOTBUCFQASAAAFEAEAAABjFQAVEhUWLBUCFRAVBhUGHDYAKAFjGAFjEREAAAAJIAIAAAACAQECABUEGTw1ABgGc2NoZW1hFQQAFQwlAhgEdGV4dCUATBwAAAAVDCUCGAZzb3VyY2UlAEwcAAAAFgYZLBksJgAcFQwZNQAGEBkYBHRleHQVAhYEFswCFtICJqIBJggcNgAoEuiFjueCjuOBruayu+eZguOAghgk6IK654KO44Gu5Y6f5Zug44Gv57Sw6I+M44Gn44GC44KL44CCEREAGSwVBBUAFQIAFQAVEBUCADwWbBkGGSYABAAAACYAHBUMGTUABhAZGAZzb3VyY2UVAhYEFnwWhAEmjgMm2gIcNgAoAWIYAWEREQAZLBUEFQAVAgAVABUQFQIAPBYEGQYZJgAEAAAAFsgDFgQmCBbWAwAZLCYAHBUMGTUABhAZGAR0ZXh0FQIWAhbqARbyASawBCbeAxw2ACgV5LiJ44Gk55uu44Gu5paH5pu444CCGBXkuInjgaTnm67jga7mlofmm7jjgIIREQAZLBUEFQAVAgAVABUQFQIAPBYqGQYZJgACAAAAJgAcFQwZNQAGEBkYBnNvdXJjZRUCFgIWchZ6JvoFJtAFHDYAKAFjGAFjEREAGSwVBBUAFQIAFQAVEBUCADwWAhkGGSYAAgAAABbcAhYCJt4DFuwCABkcGAxBUlJPVzpzY2hlbWEY4AEvLy8vLzZBQUFBQVFBQUFBQUFBS0FBd0FCZ0FGQUFnQUNnQUFBQUFCQkFBTUFBQUFDQUFJQUFBQUJBQUlBQUFBQkFBQUFBSUFBQUJBQUFBQUJBQUFBTmovLy84QUFBRUZFQUFBQUJnQUFBQUVBQUFBQUFBQUFBWUFBQUJ6YjNWeVkyVUFBTWovLy84UUFCUUFDQUFHQUFjQURBQUFBQkFBRUFBQUFBQUFBUVVRQUFBQUhBQUFBQVFBQUFBQUFBQUFCQUFBQUhSbGVIUUFBQUFBQkFBRUFBUUFBQUFBQUFBQQAYIHBhcnF1ZXQtY3BwLWFycm93IHZlcnNpb24gMjYuMC4xGSwcAAAcAAAA8wIAAFBBUjE='

it.each([
  ['a.txt', 'ひとつ\n', [{ id: 'a.txt', text: 'ひとつ\n' }]],
  ['a.md.gz', gzipSync('# 題\n'), [{ id: 'a.md.gz', text: '# 題\n' }]],
  [
    'a.jsonl',
    '{"text":"一"}\n\n{"text":"二","n":1}\n',
    [
      { id: 'a.jsonl:1', text: '一' },
      { id: 'a.jsonl:3', text: '二' },
    ],
  ],
  ['a.ndjson.gz', gzipSync('{"text":"一"}\n'), [{ id: 'a.ndjson.gz:1', text: '一' }]],
  ['qa.jsonl', '{"prompt":"問","completion":"答"}\n', [{ id: 'qa.jsonl:1', text: '問', completion: '答' }]],
])('%s', async (name, data, documents) => {
  expect(await readAll(await write(name, data))).toEqual(documents)
})

it.each([
  ['zstd.parquet', zstdParquet],
  ['snappy.parquet', snappyParquet],
])('%s, row group by row group', async (name, data) => {
  const path = await write(name, Buffer.from(data, 'base64'))
  expect(await readAll(path)).toEqual([
    { id: `${name}, row 1`, text: '肺炎の原因は細菌である。' },
    { id: `${name}, row 2`, text: '腎炎の治療。' },
    { id: `${name}, row 3`, text: '三つ目の文書。' },
  ])
  expect((await readAll(path, 'source')).map(({ text }) => text)).toEqual(['a', 'b', 'c'])
  await expect(readAll(path, 'body')).rejects.toThrow(`${path}: no column "body". There are: text, source.`)
})

it('reads folders and globs in the order of names, and passes over other files', async () => {
  await write('tree/b.txt', '乙')
  await write('tree/a/c.jsonl', '{"text":"丙"}')
  await write('tree/z.csv', 'x')
  expect((await readAll(join(folder, 'tree'))).map(({ id }) => id)).toEqual(['a/c.jsonl:1', 'b.txt'])
  expect((await readAll(join(folder, 'tree/**/*.jsonl'))).map(({ id }) => id)).toEqual(['a/c.jsonl:1'])
  expect((await readAll(join(folder, 'tree/{b,q}.txt'))).map(({ text }) => text)).toEqual(['乙'])
})

describe('says what is wrong', () => {
  it.each([
    ['empty.txt', ' \n', ': the file is empty.'],
    ['empty.jsonl', '\n', ': holds no documents.'],
    ['sjis.txt', Buffer.from([0x88, 0xc0]), ': not UTF-8 text (first bad byte in line 1)'],
    ['half.jsonl', '{"text":"一"}\n{"text":"二', ':2: not valid JSON'],
    ['number.jsonl', '7\n', ':1: not a JSON object.'],
    ['column.jsonl', '{"body":"一","n":2}\n', ':1: no "text" (nor prompt and completion). There are: body, n.'],
    ['type.jsonl', '{"text":7}\n', ':1: "text" is no text but 7.'],
    ['a.docx', 'x', ': no kind of text that meikai reads: .txt, .md'],
    ['broken.parquet', 'PAR1 and no more', ': not a Parquet file, or damaged'],
    ['cut.txt.gz', gzipSync('あ'.repeat(1000)).subarray(0, 20), ': damaged or not gzip'],
  ])('%s', async (name, data, message) => {
    const path = await write(name, data)
    await expect(readAll(path)).rejects.toThrow(path + message)
  })

  it('of what is not there', async () => {
    await mkdir(join(folder, 'bare'))
    await expect(readAll('/nowhere')).rejects.toThrow('/nowhere: no such file or folder.')
    await expect(readAll('/nowhere/*.txt')).rejects.toThrow('/nowhere/*.txt: the pattern matches no texts.')
    await expect(readAll(join(folder, 'bare'))).rejects.toThrow('the folder holds no texts. Known are .txt')
  })
})

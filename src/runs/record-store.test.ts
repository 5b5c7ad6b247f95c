// Records by number: any order in, their order out, whatever a kill left.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { RecordStore } from './record-store.ts'

const folder = await mkdtemp(join(tmpdir(), 'meikai-records-'))
afterAll(() => rm(folder, { recursive: true }))
const file = join(folder, 'records.jsonl')

interface Note {
  n: number
  text: string
}
const open = () => RecordStore.open<Note>(file, 6, ({ n }) => (n < 6 ? n : undefined))

async function readAll(store: RecordStore<Note>): Promise<string[]> {
  const texts: string[] = []
  for (let n = 0; n < 6; n++) if (store.has(n)) texts.push((await store.read(n)).text)
  return texts
}

it('gives back in order what came in any, across openings', async () => {
  await rm(file, { force: true })
  const store = await open()
  for (const n of [4, 0, 2]) await store.append(n, { n, text: `第${n}` })
  expect(await readAll(store)).toEqual(['第0', '第2', '第4'])
  await store.close()
  const again = await open()
  expect(again.count()).toBe(3)
  await again.append(1, { n: 1, text: '一' })
  await again.append(4, { n: 4, text: '四' })
  expect(await readAll(again)).toEqual(['第0', '一', '第2', '四'])
  await again.close()
})

it.each([
  ['', []],
  ['{"n":1,"text":"a"}\n', ['a']],
  ['{"n":1,"text":"a"}\n{"n":2,"text":"b"}', ['a']],
  ['{"n":1,"text":"a"}\n{"n":2,"te', ['a']],
  ['{"n":9,"text":"x"}\n{"n":1,"text":"a"}\n', ['a']],
  ['{"n":1,"text":"a"}\n{"n":\n{"n":3,"text":"c"}\n', ['a']],
  ['{"n":1,"text":"a"}\n\0\0\0\0', ['a']],
])('reads %j as %j and goes on from there', async (left, texts) => {
  await writeFile(file, left)
  const store = await open()
  expect(await readAll(store)).toEqual(texts)
  await store.append(5, { n: 5, text: 'z' })
  expect(await readAll(store)).toEqual([...texts, 'z'])
  await store.close()
  expect(await readFile(file, 'utf8')).toMatch(/(^|\}\n)\{"n":5,"text":"z"\}\n$/)
})

it('finds lines that are longer than a piece of the file', async () => {
  const store = await open()
  for (const n of [3, 1]) await store.append(n, { n, text: String(n).repeat(200_000) })
  await store.close()
  const again = await open()
  expect((await again.read(3)).text).toBe('3'.repeat(200_000))
  await again.close()
})

import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { tableFromIPC } from 'apache-arrow'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { writeArrowDataset } from './arrow-dataset.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meikai-arrow-'))
})
afterAll(() => rm(folder, { recursive: true }))

it('writes splits as Arrow streams with the lists of each row', async () => {
  const target = join(folder, 'set')
  const rows = [
    { ids: [5, 6, 7], labels: [-100, 6, 7] },
    { ids: [], labels: [] },
    { ids: [152_000], labels: [-100] },
  ]
  const splits = [
    { name: 'train', columns: ['ids', 'labels'], nullColumns: ['images'], rows },
    { name: 'validation_a', columns: ['ids', 'labels'], rows: [] },
  ]
  expect(await writeArrowDataset(target, splits)).toEqual({ train: 3, validation_a: 0 })
  expect(JSON.parse(await readFile(join(target, 'dataset_dict.json'), 'utf8'))).toEqual({
    splits: ['train', 'validation_a'],
  })
  expect((await readdir(join(target, 'train'))).sort()).toEqual([
    'data-00000-of-00001.arrow',
    'dataset_info.json',
    'state.json',
  ])
  const table = tableFromIPC(await readFile(join(target, 'train', 'data-00000-of-00001.arrow')))
  expect(table.schema.fields.map(({ name, type }) => `${name}: ${type}`)).toEqual([
    'ids: List<Int32>',
    'labels: List<Int32>',
    'images: Null',
  ])
  const read = table.toArray().map((row) => ({ ids: [...row.ids], labels: [...row.labels] }))
  expect(read).toEqual(rows)
})

it('divides a large split into files, each of several batches, in order', async () => {
  const target = join(folder, 'large')
  async function* rows() {
    for (let i = 0; i < 20; i++) yield { ids: Array.from({ length: i }, () => i), labels: [100 - i] }
  }
  // Batches of at least 10 numbers, files of at least 100: 210 numbers make two files.
  const sizes = { batchNumbers: 10, fileNumbers: 100 }
  const written = await writeArrowDataset(target, [{ name: 'train', columns: ['ids', 'labels'], rows: rows() }], sizes)
  expect(written).toEqual({ train: 20 })
  const state = JSON.parse(await readFile(join(target, 'train', 'state.json'), 'utf8'))
  expect(state._data_files).toEqual([
    { filename: 'data-00000-of-00002.arrow' },
    { filename: 'data-00001-of-00002.arrow' },
  ])
  expect((await readdir(join(target, 'train'))).filter((name) => name.endsWith('.arrow'))).toHaveLength(2)
  const read: { ids: number[]; labels: number[] }[] = []
  const batches: number[] = []
  for (const { filename } of state._data_files) {
    const table = tableFromIPC(await readFile(join(target, 'train', filename)))
    batches.push(table.batches.length)
    for (const row of table) read.push({ ids: [...row!.ids], labels: [...row!.labels] })
  }
  expect(read).toEqual(Array.from({ length: 20 }, (_, i) => ({ ids: new Array(i).fill(i), labels: [100 - i] })))
  for (const count of batches) expect(count).toBeGreaterThan(2)
})

it('leaves nothing of a folder whose rows fail', async () => {
  const target = join(folder, 'failed')
  async function* rows() {
    yield { ids: [1] }
    throw new Error('no more rows')
  }
  const splits = [{ name: 'train', columns: ['ids'], rows: rows() }]
  await expect(writeArrowDataset(target, splits, { batchNumbers: 1, fileNumbers: 1 })).rejects.toThrow('no more rows')
  expect((await readdir(folder)).filter((name) => name.startsWith('failed'))).toEqual([])
})

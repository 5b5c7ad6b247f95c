// Documents: every kind of mistake is named with file, line and key.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { z } from 'zod'
import { readDocument } from './document.ts'

const schema = z.strictObject({
  name: z.string().min(1),
  train: z
    .strictObject({ rate: z.number().positive().max(1).default(0.5), mode: z.enum(['fast', 'slow']).default('fast') })
    .prefault({}),
  sources: z.array(z.strictObject({ path: z.string() })).default([]),
})

let folder: string
let file: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'document-'))
  file = join(folder, 'a.yaml')
})
afterAll(() => rm(folder, { recursive: true }))

const read = async (text: string, overrides: string[] = []) => {
  await writeFile(file, text)
  return readDocument(file, schema, overrides)
}

it('fills in defaults and finds where a key stands', async () => {
  const { value, locate } = await read('name: x\ntrain:\n  rate: 0.25\n')
  expect(value).toEqual({ name: 'x', train: { rate: 0.25, mode: 'fast' }, sources: [] })
  expect(locate(['train', 'rate'])).toBe(`${file}:3`)
  expect(locate(['train', 'mode'])).toBe(`${file}:2`)
})

it('takes a key without a value as left out', async () => {
  expect((await read('name: x\ntrain:\n  # rate: 1\n')).value.train).toEqual({ rate: 0.5, mode: 'fast' })
})

it('reads anchors and merge keys', async () => {
  const { value } = await read('name: &n x\nsources:\n  - &a {path: p}\n  - {<<: *a}\n')
  expect(value.sources).toEqual([{ path: 'p' }, { path: 'p' }])
})

it('applies overrides, into lists and absent sections too', async () => {
  const { value } = await read('name: x\nsources: [{path: a}]\n', ['train.rate=0.125', 'sources.0.path=b', 'name="y"'])
  expect(value).toEqual({ name: 'y', train: { rate: 0.125, mode: 'fast' }, sources: [{ path: 'b' }] })
})

it.each([
  ['name: x\ntrain:\n  raet: 1\n', [], ':3: train.raet: no such setting. Did you mean rate?'],
  ['name: x\nfrobnicate: 1\n', [], ':2: frobnicate: no such setting. Known here: name, train, sources.'],
  ['name: x\nsources:\n  - path: a\n  - paths: b\n', [], ':4: sources.1.paths: no such setting. Did you mean path?'],
  ['train: {}\n', [], ': name: is missing (a string).'],
  ['name: 3\n', [], ':1: name: must be a string, not 3.'],
  ['name: ""\n', [], ':1: name: must not be empty.'],
  ['name: x\ntrain:\n  rate: much\n', [], ':3: train.rate: must be a number, not "much".'],
  ['name: x\ntrain:\n  rate: 0\n', [], ':3: train.rate: must be more than 0, not 0.'],
  ['name: x\ntrain:\n  rate: 2\n', [], ':3: train.rate: must be at most 1, not 2.'],
  ['name: x\ntrain:\n  mode: fats\n', [], ':3: train.mode: must be one of fast, slow, not "fats". Did you mean fast?'],
  ['name: x\nname: y\n', [], ':2: not valid YAML'],
  ['name: [x\n', [], 'not valid YAML'],
  ['name: *nobody\n', [], ': not valid YAML (Unresolved alias'],
  [
    `name: &a [${'x,'.repeat(50)}]\nsources: &b [${'*a,'.repeat(50)}]\ntrain: [${'*b,'.repeat(50)}]\n`,
    [],
    ': not valid YAML (Exc',
  ],
  ['name: x\ntrain: {rate: .nan}\n', [], ':2: train.rate: must be a number, not NaN.'],
  ['name: x\ntrain: {rate: .inf}\n', [], ':2: train.rate: must be a number, not Infinity.'],
  ['- x\n', [], 'must be a map of keys'],
  ['name: x\n', ['train.rate=-1'], '--set: train.rate: must be more than 0, not -1.'],
  ['name: x\n', ['train.rate'], '--set train.rate: write it as key.key=value.'],
  ['name: x\n', ['name.first=1'], '--set name.first=1: cannot be set'],
])('%j %j -> %s', async (text, overrides, message) => {
  await expect(read(text, overrides)).rejects.toThrow(message.startsWith(':') ? `${file}${message}` : message)
})

it('lists everything that is wrong', async () => {
  await expect(read('nam: x\ntrain:\n  rate: 7\n')).rejects.toThrow(
    /name: is missing[\s\S]*rate: must be at most[\s\S]*nam: no such setting/,
  )
})

it('names a missing file', async () => {
  await expect(readDocument('/nowhere/a.yaml', schema)).rejects.toThrow('/nowhere/a.yaml: no such file')
})

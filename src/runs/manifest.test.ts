// Manifests: outputs described, damage found, other versions refused.
import { mkdir, mkdtemp, readFile, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { UserError } from '../base/errors.ts'
import { plainManifest } from './manifest.fixture.ts'
import {
  DamagedStage,
  describeOutputs,
  findDamage,
  hashOutputs,
  type Manifest,
  readManifest,
  removeStage,
  writeManifest,
} from './manifest.ts'

let folder: string
let manifest: Manifest
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'manifest-'))
  await mkdir(join(folder, 'model'))
  await writeFile(join(folder, 'model', 'weights'), 'abc')
  await writeFile(join(folder, 'counts.json'), '{}')
  await writeFile(join(folder, 'log'), 'not an output')
  await writeManifest(folder, {
    stage: 's',
    title: 'S',
    ...plainManifest,
    settings: { a: 1 },
    outputs: await describeOutputs(folder, ['model', 'counts.json']),
  })
  manifest = (await readManifest(folder)) as Manifest
})

afterEach(() => rm(folder, { recursive: true, force: true }))

it('describes outputs, folders file by file', () => {
  expect(manifest.outputs.map(({ path, bytes }) => [path, bytes])).toEqual([
    ['counts.json', 2],
    ['model/weights', 3],
  ])
})

it('finds none where there is none', async () => {
  await rm(join(folder, 'manifest.json'))
  expect(await readManifest(folder)).toBeNull()
})

it('hashes what came out, not when', async () => {
  const before = hashOutputs(manifest)
  await utimes(join(folder, 'counts.json'), 1, 1)
  expect(hashOutputs({ outputs: await describeOutputs(folder, ['model', 'counts.json']) })).toBe(before)
  await writeFile(join(folder, 'counts.json'), '[]')
  expect(hashOutputs({ outputs: await describeOutputs(folder, ['model', 'counts.json']) })).not.toBe(before)
})

it.each([
  ['nothing', async () => {}, undefined],
  ['a touched file', () => utimes(join(folder, 'counts.json'), 1, 1), undefined],
  ['an altered file', () => writeFile(join(folder, 'model', 'weights'), 'abd'), 'was altered after its stage ended'],
  ['a cut file', () => writeFile(join(folder, 'model', 'weights'), 'ab'), 'has 2 bytes, not 3'],
  ['a missing file', () => rm(join(folder, 'model', 'weights')), 'is missing'],
])('finds the damage of %s', async (_, damage, expected) => {
  await utimes(join(folder, 'model', 'weights'), 100, 100)
  const described = { ...manifest, outputs: await describeOutputs(folder, ['model', 'counts.json']) }
  await damage()
  const found = await findDamage(folder, described)
  if (expected === undefined) expect(found).toBeUndefined()
  else expect(found).toContain(expected)
})

it.each([
  ['half a file', (text: string) => text.slice(0, 30)],
  ['nothing', () => ''],
  ['something else', () => '{"format":1}'],
])('calls a manifest damaged that holds %s', async (_, change) => {
  const file = join(folder, 'manifest.json')
  await writeFile(file, change(await readFile(file, 'utf8')))
  await expect(readManifest(folder)).rejects.toThrow(DamagedStage)
})

it('calls none damaged that the system does not let it read', async () => {
  const file = join(folder, 'manifest.json')
  await rm(file)
  await symlink('manifest.json', file)
  await expect(readManifest(folder)).rejects.toThrow(UserError)
})

it('refuses a manifest of another version', async () => {
  const file = join(folder, 'manifest.json')
  await writeFile(file, (await readFile(file, 'utf8')).replace('"format": 1', '"format": 7'))
  await expect(readManifest(folder)).rejects.toThrow(/another version of meikai \(run format 7; this one has 1\)/)
})

it('removes a stage', async () => {
  await removeStage(folder)
  expect(await readManifest(folder)).toBeNull()
})

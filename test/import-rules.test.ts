// The import rules bite: Biome refuses planted violations, passes what is allowed, and the table covers everything.
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { folders, packages, rulesFile } from '../scripts/import-rules.ts'

const root = resolve(import.meta.dirname, '..')
let copy: string

beforeAll(() => {
  copy = mkdtempSync(join(tmpdir(), 'meikai-import-rules-'))
  for (const name of ['biome.imports.json', 'package.json']) cpSync(join(root, name), join(copy, name))
  const settings = JSON.parse(readFileSync(join(root, 'biome.json'), 'utf8'))
  writeFileSync(
    join(copy, 'biome.json'),
    JSON.stringify({ ...settings, vcs: undefined, formatter: { enabled: false } }),
  )
})

afterAll(() => rmSync(copy, { recursive: true, force: true }))

test.each<[string, Record<string, string>, string[]]>([
  [
    'a folder that may not be imported',
    { 'src/graph/a.ts': "export { b } from '../engine/b.ts'", 'src/engine/b.ts': 'export const b = 1' },
    ['src/graph/a.ts noRestrictedImports src/graph may import base'],
  ],
  [
    'the same, from deeper, late and for types only',
    {
      'src/engine/cluster/a.ts':
        "export type { C } from '../../graph/c.ts'\nexport const late = () => import('../../graph/c.ts')",
      'src/graph/c.ts': 'export type C = 1',
    },
    [
      'src/engine/cluster/a.ts noRestrictedImports src/engine/cluster may import base, data, formats',
      'src/engine/cluster/a.ts noRestrictedImports src/engine/cluster may import base, data, formats',
    ],
  ],
  [
    'a file of a folder of which only another file may be imported',
    {
      'src/sampler/a.ts': "export type { A } from '../engine/engine.ts'\nexport type { B } from '../engine/other.ts'",
      'src/engine/engine.ts': 'export type A = 1',
      'src/engine/other.ts': 'export type B = 1',
    },
    ['src/sampler/a.ts noRestrictedImports src/sampler may import'],
  ],
  [
    'a package of another folder',
    { 'src/engine/a.ts': "export * as runtime from 'onnxruntime-node'" },
    ['src/engine/a.ts noRestrictedImports Of the packages, src/engine may import'],
  ],
  [
    'a part of a package of another folder',
    { 'src/model/a.ts': "export * as wire from '@bufbuild/protobuf/wire'" },
    ['src/model/a.ts noRestrictedImports Of the packages, src/model may import'],
  ],
  [
    'a cycle',
    {
      'src/base/a.ts': "import { b } from './b.ts'\nexport const a = () => b",
      'src/base/b.ts': "import { a } from './a.ts'\nexport const b = () => a",
    },
    ['src/base/a.ts noImportCycles', 'src/base/b.ts noImportCycles'],
  ],
  [
    'a package for development outside the tests',
    { 'src/base/a.ts': "export { test } from 'vitest'", 'src/base/a.test.ts': "export { test } from 'vitest'" },
    ['src/base/a.ts noUndeclaredDependencies'],
  ],
  [
    'nothing, where all is allowed',
    {
      'src/runtime/a.ts': "export * as runtime from 'onnxruntime-node'\nexport { b } from '../graph/b.ts'",
      'src/graph/b.ts': "export { c as b } from '../base/c.ts'",
      'src/base/c.ts': 'export const c = 1',
      'src/graph/b.test.ts': "export { d } from '../engine/d.ts'",
      'src/engine/d.ts': 'export const d = 1',
    },
    [],
  ],
])('refuses %s', (_, files, expected) => {
  rmSync(join(copy, 'src'), { recursive: true, force: true })
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(copy, path)), { recursive: true })
    writeFileSync(join(copy, path), `${text}\n`)
  }
  const refused = lint()
  expect(refused).toHaveLength(expected.length)
  expected.forEach((start, i) => {
    expect(refused[i]).toContain(start)
  })
})

test('biome.imports.json is what the table says (npm run import-rules writes it)', () => {
  expect(readFileSync(join(root, 'biome.imports.json'), 'utf8')).toBe(rulesFile())
})

test('every folder and every package stands in the table', () => {
  const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const own = readdirSync(join(root, 'src'), { withFileTypes: true }).filter((entry) => entry.isDirectory())
  expect(own.map(({ name }) => name).filter((name) => !(name in folders))).toEqual([])
  expect(Object.keys(packages).sort()).toEqual(Object.keys(dependencies).sort())
})

/** What Biome refuses in the copy, as 'file rule message', sorted. */
function lint(): string[] {
  const biome = join(root, 'node_modules', '@biomejs', 'biome', 'bin', 'biome')
  const { stdout } = spawnSync(process.execPath, [biome, 'lint', '--reporter=github', '.'], {
    cwd: copy,
    encoding: 'utf8',
  })
  const lines = stdout.split('\n').filter((line) => line.startsWith('::error'))
  return lines
    .map((line) => {
      const [, rule, file, message] = /title=lint\/\w+\/(\w+),file=([^,]+),.*?::(.*)$/.exec(line) ?? []
      return `${file} ${rule} ${message}`
    })
    .sort()
}

// Set-up: what is built and when; and, where MEIKAI_TEST_SETUP=1 asks for it (a minute), a fresh clone and an installed package.
import { type SpawnSyncReturns, spawnSync } from 'node:child_process'
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const root = resolve(import.meta.dirname, '..')
let folder: string

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'meikai-set-up-'))
})

afterAll(() => rmSync(folder, { recursive: true, force: true }), 60_000)

describe('the build', () => {
  let copy: string
  const setUp = () => run(copy, process.execPath, ['scripts/set-up.mjs'])

  beforeAll(() => {
    copy = join(folder, 'copy')
    for (const name of [
      'src/base',
      'scripts',
      'package.json',
      'package-lock.json',
      'tsconfig.json',
      'tsconfig.build.json',
    ]) {
      cpSync(join(root, name), join(copy, name), { recursive: true })
    }
    symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
  })

  test('happens once, and again when a source changes', () => {
    expect(setUp().stdout).toMatch(/^meikai set-up: built dist\/ in [\d.]+ s\n$/)
    expect(existsSync(join(copy, 'dist/base/errors.js'))).toBe(true)
    expect(existsSync(join(copy, 'dist/base/document.test.js'))).toBe(false)
    expect(setUp().stdout).toBe('')
    appendFileSync(join(copy, 'src/base/errors.ts'), '\nexport const added = 1\n')
    expect(setUp().stdout).toContain('built')
    expect(readFileSync(join(copy, 'dist/base/errors.js'), 'utf8')).toContain('added = 1')
  })

  test('that fails says so and leaves the last one in place', () => {
    const before = readFileSync(join(copy, 'dist/base/errors.js'), 'utf8')
    appendFileSync(join(copy, 'src/base/errors.ts'), "\nexport const wrong: number = 'text'\n")
    const { status, stderr, stdout } = setUp()
    expect(status).toBe(1)
    expect(stdout).toContain("Type 'string' is not assignable to type 'number'")
    expect(stderr).toContain('the build failed')
    expect(readFileSync(join(copy, 'dist/base/errors.js'), 'utf8')).toBe(before)
  })

  test('leaves nothing of sources that are gone', () => {
    const errors = join(copy, 'src/base/errors.ts')
    writeFileSync(errors, readFileSync(join(root, 'src/base/errors.ts')))
    rmSync(join(copy, 'src/base/format.ts'))
    expect(setUp().stdout).toContain('built')
    expect(existsSync(join(copy, 'dist/base/format.js'))).toBe(false)
  })
})

test('the package holds the folders that the sources read beside their own', () => {
  const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' }).filter((name) =>
    /(?<!\.test|\.fixture)\.ts$/.test(name),
  )
  const named = sources.flatMap((name) =>
    [...readFileSync(join(root, 'src', name), 'utf8').matchAll(/new URL\([`'](?:\.\.\/){2,}(\w+)\//g)].map(
      ([, folder]) => folder,
    ),
  )
  expect(new Set(named)).toEqual(new Set(['environments', 'exams', 'prompts']))
  const { files } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { files: string[] }
  expect(files).toEqual(expect.arrayContaining(named))
})

describe.skipIf(process.env.MEIKAI_TEST_SETUP !== '1')(
  'with packages (MEIKAI_TEST_SETUP=1 runs it; takes a minute)',
  () => {
    const clone = () => join(folder, 'clone')

    test('a fresh clone installs cleanly by npm ci alone', { timeout: 300_000 }, () => {
      expect(run(folder, 'git', ['clone', '-q', root, 'clone']).status).toBe(0)
      const { status, stdout, stderr } = run(clone(), 'npm', ['ci'])
      expect(status).toBe(0)
      expect(withoutMachine(stderr)).toBe('')
      expect(stdout).toMatch(/built dist\//)
      expect(stdout).toMatch(/added \d+ packages/)
      expect(stdout).not.toMatch(/warn|deprecated|vulnerab/i)
      expect(run(clone(), 'npx', ['meikai', '--help']).stdout).toContain('Usage: meikai')
    })

    test('the second time there is nothing to do, and a missing package is seen', { timeout: 300_000 }, () => {
      const setUp = () => run(clone(), process.execPath, ['scripts/set-up.mjs'])
      expect(setUp().stdout).toBe('')
      expect(run(clone(), 'npm', ['uninstall', '--no-save', 'picocolors', 'citty']).status).toBe(0)
      expect(setUp().stdout).toMatch(/installing packages .*(citty|picocolors) .* is missing/)
      expect(setUp().stdout).toBe('')
    })

    test('a packed meikai works where it is installed', { timeout: 300_000 }, () => {
      expect(run(clone(), 'npm', ['pack', '--pack-destination', folder]).status).toBe(0)
      const other = join(folder, 'other')
      mkdirSync(other)
      writeFileSync(join(other, 'package.json'), '{}')
      const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
      const environment = { ONNXRUNTIME_NODE_INSTALL: 'skip' }
      expect(run(other, 'npm', ['install', `../meikai-${version}.tgz`], environment).status).toBe(0)
      expect(run(other, 'npx', ['meikai', '--version']).stdout.trim()).toBe(version)
      const recipe = 'node_modules/meikai/recipes/quickstart.yaml'
      expect(run(other, 'npx', ['meikai', 'doctor', recipe]).stdout).toContain('It can run')
      expect(run(other, process.execPath, ['--input-type=module', '-e', "await import('meikai')"])).toMatchObject({
        status: 0,
      })
    })
  },
)

/** npm's complaints about settings of this machine's own are none of ours. */
function withoutMachine(text: string): string {
  return text
    .split('\n')
    .filter((line) => !/Unknown (user|global|env) config/.test(line))
    .join('\n')
    .trim()
}

function run(cwd: string, command: string, args: string[], environment = {}): SpawnSyncReturns<string> {
  // What npm and the test runner set for their own children is not what a user's shell has.
  const inherited = Object.entries(process.env).filter(([name]) => !/^(npm_|VITEST|NODE_)/i.test(name))
  return spawnSync(command, args, { cwd, encoding: 'utf8', env: { ...Object.fromEntries(inherited), ...environment } })
}

import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { commands } from './commands.ts'
import { runCommandLine } from './dispatch.ts'

let printed: string
let complained: string

beforeEach(() => {
  printed = ''
  complained = ''
  vi.spyOn(console, 'log').mockImplementation((text) => {
    printed += `${text}\n`
  })
  vi.spyOn(console, 'error').mockImplementation((text) => {
    complained += `${text}\n`
  })
})

afterEach(() => vi.restoreAllMocks())

describe('help', () => {
  test('lists every command with what it does and an example', async () => {
    expect(await runCommandLine(['--help'])).toBe(0)
    for (const [name, load] of Object.entries(commands)) {
      const { meta, examples } = await load()
      expect(meta.name).toBe(name)
      expect(printed).toContain(`${meta.description}\n`)
      expect(printed).toContain(examples[0].line)
    }
  })

  test.each(Object.keys(commands))(
    'of %s names its arguments and options, each with its meaning, and an example',
    async (name) => {
      expect(await runCommandLine([name, '--help'])).toBe(0)
      const { args } = await commands[name]!()
      for (const [option, { type, description }] of Object.entries(
        args as Record<string, { type: string; description?: string }>,
      )) {
        expect(printed).toContain(type === 'positional' ? `  ${option.toUpperCase()} ` : `  --${option} `)
        expect(printed).toContain(description!)
      }
      expect(printed).toMatch(new RegExp(`Examples:\n  meikai ${name} `))
    },
  )

  test('without a command is wrong use', async () => {
    expect(await runCommandLine([])).toBe(2)
    expect(printed).toContain('Usage: meikai COMMAND')
  })
})

describe('wrong use ends with status 2 and says what is right', () => {
  test.each([
    ['rnu', 'no command rnu. Did you mean run? See: meikai --help'],
    ['toString', 'no command toString. See: meikai --help'],
    ['--hlep', 'no option --hlep. Did you mean --help?'],
    ['run recipe.yaml --dryrun', 'run: no option --dryrun. Did you mean --dry-run? See: meikai run --help'],
    ['run recipe.yaml --stt=a=1', 'run: no option --stt. Did you mean --set?'],
    ['run recipe.yaml -x', 'run: no option -x.'],
    ['run recipe.yaml --set', 'run: --set needs a value.'],
    ['run recipe.yaml --json=yes', 'run: --json takes no value.'],
    ['run', 'run: RECIPE is missing (the recipe, a YAML file).'],
    ['run a.yaml b.yaml', 'run: 2 arguments, where 1 can stand.'],
    ['run recipes/quickstart.yaml --set prefer.beta', '--set prefer.beta: write it as key.key=value.'],
    ['miniature world --seed -1', '--seed -1: must be a whole number from 0.'],
    ['miniature world --seed=1.5', '--seed 1.5: must be a whole number from 0.'],
  ])('meikai %s', async (line, message) => {
    expect(await runCommandLine(line.split(' '))).toBe(2)
    expect(complained).toContain(message)
    expect(printed).toBe('')
  })
})

describe('what fails ends with status 1', () => {
  test('a misspelt setting is named with file and line', async () => {
    const line = ['run', 'recipes/quickstart.yaml', '--set', 'prefer.bta=1']
    expect(await runCommandLine(line)).toBe(1)
    expect(complained).toBe('meikai: --set: prefer.bta: no such setting. Did you mean beta?\n')
  })

  test('with --json the error is a line of JSON too', async () => {
    expect(await runCommandLine(['run', 'nowhere.yaml', '--json'])).toBe(1)
    expect(JSON.parse(printed)).toEqual({
      type: 'error',
      message: 'nowhere.yaml: no such file or folder.',
      status: 1,
    })
  })

  test('what the operating system refuses is a line, not a fault of ours', async () => {
    expect(await runCommandLine(['init', 'package.json/recipe.yaml'])).toBe(1)
    expect(complained).toMatch(/^meikai: the system refused: ENOTDIR: .*package\.json\/recipe\.yaml'\. Look at .*\n$/)
  })

  test('a fault of our own shows its stack', async () => {
    const { clean } = await import('./commands/clean.ts')
    vi.spyOn(clean, 'run').mockRejectedValue(new Error('internal: oops'))
    expect(await runCommandLine(['clean', 'runs/x'])).toBe(1)
    expect(complained).toMatch(/a fault of meikai itself[\s\S]*internal: oops\n\s+at /)
  })
})

test('init writes a recipe once, and never over one', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'meikai-init-'))
  try {
    const file = join(folder, 'recipe.yaml')
    expect(await runCommandLine(['init', file])).toBe(0)
    const text = await readFile(file, 'utf8')
    expect(text).toContain('name: my-run')
    expect(await runCommandLine(['init', file])).toBe(1)
    expect(complained).toContain('is there already')
    expect(await readFile(file, 'utf8')).toBe(text)
  } finally {
    await rm(folder, { recursive: true })
  }
})

test('values of an option that stands several times all count', async () => {
  await runCommandLine(['run', 'recipes/quickstart.yaml', '--set', 'seed=x', '--set=threads=y'])
  expect(complained).toContain('seed: must be')
  expect(complained).toContain('threads: must be')
})

// The plans of the shipped recipes, made where neither model nor texts nor exam are: what is absent, what each stage takes.
import { spawnSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Outlook, outlook } from '../src/pipeline/outlook.ts'
import { loadRecipe } from '../src/recipe/recipe.ts'

const root = join(import.meta.dirname, '..')

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meikai-outlook-'))
})
afterAll(() => rm(folder, { recursive: true }))

/** Nothing is on this machine. */
const elsewhere = () => ({ MEIKAI_SHARED: join(folder, 'nothing'), MEDICAL_CORPUS: join(folder, 'nothing') })

async function plan(name: string, overrides: string[] = []): Promise<Outlook> {
  const { recipe } = await loadRecipe(join(root, 'recipes', name), { environment: elsewhere(), overrides })
  return outlook(recipe, folder)
}

describe("the outlook of the paper's experiment", () => {
  it('names what is absent, and knows the sizes all the same', async () => {
    const { absent, unknown, stages } = await plan('preferred-medllm-qwen-72b.yaml')
    expect(absent.map(({ setting }) => setting)).toEqual([
      'model',
      'corpus.texts.0',
      'exam.past',
      'exam.preference',
      'exam.test',
    ])
    expect(unknown).toEqual([])
    const byId = new Map(stages.map((stage) => [stage.id, stage]))
    expect(byId.get('pretrain')).toMatchObject({ tokens: 5e8 })
    expect(byId.get('pretrain')?.place).toBe('Slurm, 4 x A100-80GB, 4-bit base, recomputation')
    expect(byId.get('prefer-cpt+rpo')?.place).toBe('Slurm, 2 x A100-80GB, 4-bit base, recomputation')
    for (const id of ['pretrain', 'prefer-cpt+rpo']) {
      expect(byId.get(id)?.memoryBytes).toBeGreaterThan(40e9)
      expect(byId.get(id)?.memoryBytes).toBeLessThan(80e9)
      expect(byId.get(id)?.arithmetic).toMatch(/70\.\d+ G x 0\.516 B/)
    }
    // Forward, backward and recomputation, 2 operations each of 71.45 G weights (the table is looked up), at 312 x 30 % TFLOP/s.
    const hours = (5e8 * 71.45e9 * 6) / (0.3 * 312e12) / 3600
    expect((byId.get('pretrain')?.gpuHours ?? 0) / hours).toBeCloseTo(1, 2)
    expect(byId.get('sample-cpt')).toMatchObject({
      place: 'a server through Slurm, 4 x A100-80GB',
      tokens: 800 * 30 * 1024,
    })
  })

  it('says what it would need to know where a size is not stated', async () => {
    const file = join(root, 'recipes/preferred-medllm-qwen-72b.yaml')
    const overrides = ['model=some/other', 'corpus.texts.0.expectedTokens=', 'exam.test.expectedItems=']
    const { recipe } = await loadRecipe(file, { overrides, environment: elsewhere() })
    const { unknown, stages } = await outlook(recipe, folder)
    expect(unknown).toEqual([
      expect.stringMatching(/^model: the shape of hub:some\/other/),
      expect.stringMatching(/^corpus\.texts\.0: .*expectedTokens/),
      expect.stringMatching(/^exam\.test: .*expectedItems/),
    ])
    expect(stages.find(({ id }) => id === 'pretrain')).not.toHaveProperty('seconds')
  })
})

it('plans 7B on one GPU and 0.5B in this process', async () => {
  const seven = await plan('qwen2.5-7b-one-gpu.yaml')
  expect(seven.stages.find(({ id }) => id === 'pretrain')?.place).toBe('torchrun here, 1 x A100-80GB, 16-bit base')
  const half = await plan('qwen2.5-0.5b-laptop.yaml')
  expect(half.stages.find(({ id }) => id === 'pretrain')).toMatchObject({
    place: 'this process',
    tokens: 200 * 1024 * 4,
  })
  const secondsOf = ({ stages }: Outlook, wanted: string) =>
    stages.find(({ id }) => id === wanted)?.seconds ?? Number.NaN
  for (const id of ['sample-cpt', 'examine-base']) expect(secondsOf(half, id), id).toBeGreaterThan(0)
  // How fast the machine is cancels out.
  const share = (of: Outlook) => secondsOf(of, 'pretrain') / secondsOf(of, 'prefer-cpt+rpo')
  const longer = await plan('qwen2.5-0.5b-laptop.yaml', ['pretrain.steps=400'])
  expect(share(longer) / share(half)).toBeCloseTo(2, 6)
  expect(half.hereBytes).toBeGreaterThan(4 * 0.49e9)
})

it.each(['preferred-medllm-qwen-72b.yaml', 'qwen2.5-7b-one-gpu.yaml', 'qwen2.5-0.5b-laptop.yaml'])(
  'prints the plan of %s, and ends with status 0; doctor and run refuse it',
  { timeout: 120_000 },
  (name) => {
    const meikai = (...args: string[]) =>
      spawnSync(process.execPath, ['--import', 'tsx', 'src/cli/main.ts', ...args], {
        cwd: root,
        encoding: 'utf8',
        env: { ...process.env, ...elsewhere(), HF_HUB_OFFLINE: '1', HF_HUB_CACHE: join(folder, 'hub') },
      })
    const file = join('recipes', name)
    const { status, stdout, stderr } = meikai('run', file, '--dry-run', '--price', '2.5', '--runs', folder)
    expect(stderr).toBe('')
    expect(status).toBe(0)
    expect(stdout).toMatch(/^absent: model: hub:Qwen/m)
    expect(stdout).toMatch(/^absent: exam\.test/m)
    expect(stdout).toMatch(/^pretrain /m)
    expect(stdout).toMatch(/GPU hours, \d+\.\d\d at 2\.5 an hour/)
    expect(meikai('run', file, '--runs', folder).status).toBe(1)
  },
)

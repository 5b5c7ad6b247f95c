// The doctor on clusters, with stand-ins for the programs that it asks.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { loadRecipe } from '../../recipe/recipe.ts'
import { inspectCluster } from './cluster.ts'
import * as programs from './programs.fixture.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meikai-doctor-cluster-'))
  vi.stubEnv('PATH', `${join(folder, 'bin')}:/usr/bin:/bin`)
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await rm(folder, { recursive: true })
})

const writeProgram = (path: string, text: string) => programs.writeProgram(join(folder, path), text)
const writePackages = (packages: Record<string, string>) =>
  programs.writePackages(join(folder, 'environment'), packages)

const pinned = {
  llamafactory: '0.9.5',
  torch: '2.11.0+cu128',
  transformers: '5.6.0',
  peft: '0.18.1',
  bitsandbytes: '0.49.2',
}

const without = (name: string) => Object.fromEntries(Object.entries(pinned).filter(([key]) => key !== name))

async function findings(overrides: string[] = []): Promise<string[]> {
  const file = join(folder, 'recipe.yaml')
  const texts = `name: a\nmodel: Qwen/Qwen2.5-72B\ncorpus: {texts: [{path: t, expectedTokens: 1000000}]}\nexam: {preference: {path: p, expectedItems: 10}, test: {path: t, expectedItems: 10}}\npretrain: {base: nf4}\nprefer: {base: nf4}\nengine: {kind: cluster, environment: environment, processes: 2}\n`
  await writeFile(file, texts)
  const loaded = await loadRecipe(file, { overrides })
  const found: string[] = []
  for await (const { severity, message } of inspectCluster(loaded, folder)) found.push(`${severity}: ${message}`)
  return found
}

const gpu = (used: number) =>
  `if [ "$1" = topo ]; then echo "GPU0 X NV12"; else for i in 0 1; do echo "NVIDIA A100-SXM4-80GB, 81920, ${81920 - used}"; done; fi`

it('finds an environment, GPUs and their links, and tells what each training takes of one', async () => {
  await writePackages(pinned)
  await writeProgram('bin/nvidia-smi', gpu(3))
  const found = await findings()
  expect(found.filter((line) => !line.startsWith('good'))).toEqual([])
  expect(found).toContainEqual(expect.stringContaining('torch 2.11.0+cu128'))
  expect(found).toContainEqual('good: 2 GPUs: NVIDIA A100-SXM4-80GB, 80.0 GB; connected by NV12')
  expect(found).toContainEqual(
    expect.stringMatching(/good: pretrain: a GPU: 5\d\.\d GB of 79\.0 GB: model 38\.\d GB = \(70\.\d+ G x 0\.516 B/),
  )
})

it('says where processes meet: on a free port here, on ports that must be open between nodes', async () => {
  expect(await findings()).toContainEqual(expect.stringMatching(/^good: ports: .* free one, now \d+$/))
  await writeProgram('bin/sinfo', 'echo main up 1:00 4 gpu:4')
  const found = await findings(['engine.place=slurm', 'engine.nodes=2'])
  expect(found).toContainEqual(expect.stringMatching(/^good: ports: nodes meet on one of 20000 to 29999/))
  expect(found).toContainEqual('good: Slurm: main up 1:00 4 gpu:4')
})

it.each<[string, () => Promise<unknown>, string[], RegExp]>([
  [
    'no environment',
    async () => {},
    [],
    /^error: .*environment is not there\. Make it: meikai cluster install training/,
  ],
  [
    'a package of a setting of its own',
    () => writePackages(pinned),
    ['engine.sharding=zero3', 'engine.flashAttention=true'],
    /^error: .*deepspeed is missing\. Add it: .*environment\/bin\/pip install deepspeed$/,
  ],
  ['a package that is missing', () => writePackages(without('peft')), [], /^error: .*peft is missing/],
  [
    'another version',
    () => writePackages({ ...pinned, torch: '2.13.0' }),
    [],
    /^warning: .*torch is 2\.13\.0, tried with 2\.11\.0/,
  ],
  [
    'too few GPUs',
    () => writeProgram('bin/nvidia-smi', gpu(0)),
    ['engine.processes=4'],
    /^error: engine\.processes: 4, .* lists 2 here/,
  ],
  [
    'a GPU that is in use',
    () => writeProgram('bin/nvidia-smi', gpu(40_000)),
    [],
    /^warning: GPU 0 is in use: 40\.9 GB of 80\.0 GB are free/,
  ],
  [
    'a smaller card',
    () => writeProgram('bin/nvidia-smi', gpu(0)),
    ['engine.card=H200'],
    /^warning: GPU 0 has 80\.0 GB, less than engine\.card: H200/,
  ],
  ['a card without a name', async () => {}, ['engine.card=X1'], /^error: .*engine\.card: X1 is not known/],
  [
    'a model that does not fit',
    async () => {},
    ['pretrain.base=float32'],
    /^error: .*does not fit 2 x A100-80GB.*Set base: nf4/,
  ],
  [
    'no Slurm',
    () => writeProgram('bin/sinfo', 'echo no controller >&2; exit 1'),
    ['engine.place=slurm'],
    /^error: .*Slurm does not offer it: no controller/,
  ],
  [
    'no such partition',
    () => writeProgram('bin/sinfo', 'true'),
    ['engine.place=slurm', 'engine.partition=big'],
    /^error: .*no partition big/,
  ],
])('names %s', async (_, prepare, overrides, message) => {
  await prepare()
  expect(await findings(overrides)).toContainEqual(expect.stringMatching(message))
})

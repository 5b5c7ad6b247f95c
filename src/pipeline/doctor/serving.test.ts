// The doctor on a server that the run starts itself, with stand-ins for Python and nvidia-smi.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { loadRecipe } from '../../recipe/recipe.ts'
import * as programs from './programs.fixture.ts'
import { inspectServing } from './serving.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meikai-doctor-serving-'))
  vi.stubEnv('PATH', `${join(folder, 'bin')}:/usr/bin:/bin`)
  await writeProgram('bin/nvidia-smi', 'echo "NVIDIA A100-SXM4-80GB, 81920, 81900"')
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await rm(folder, { recursive: true })
})

const writeProgram = (path: string, text: string) => programs.writeProgram(join(folder, path), text)
const writePackages = (packages: Record<string, string>) => programs.writePackages(join(folder, 'serving'), packages)

const pinned = { vllm: '0.32.0', torch: '2.13.0', transformers: '5.19.0' }

async function findings(start: string, engine = ''): Promise<string[]> {
  const file = join(folder, 'recipe.yaml')
  await writeFile(
    file,
    `name: a\nmodel: Qwen/Qwen2.5-7B\nvariants: [base]\nexam: {test: {path: t}}\nengine: {${engine}}\nsampler: {kind: server, dialect: vllm, start: {environment: serving, ${start}}}\n`,
  )
  const found: string[] = []
  for await (const { severity, message } of inspectServing(await loadRecipe(file)))
    found.push(`${severity}: ${message}`)
  return found
}

it('finds the environment and its versions', async () => {
  await writePackages(pinned)
  expect(await findings('')).toEqual([expect.stringMatching(/^good: .*serving: vllm 0\.32\.0, torch 2\.13\.0/)])
})

it.each<[string, string, string, RegExp]>([
  ['too few GPUs', 'gpus: 2', '', /^error: .*recipe\.yaml:6.*gpus: the server is to have 2, but nvidia-smi lists 1/],
  ['as many as the trainings have', '', 'processes: 4', /^error: .*is to have 4/],
])('%s', async (_, start, engine, message) => {
  await writePackages(pinned)
  expect(await findings(start, engine)).toContainEqual(expect.stringMatching(message))
})

it('another version, and none', async () => {
  await writePackages({ ...pinned, vllm: '0.33.0' })
  expect(await findings('')).toContainEqual(expect.stringMatching(/^warning: .*vllm is 0\.33\.0, tried with 0\.32\.0/))
  await rm(join(folder, 'serving'), { recursive: true })
  expect(await findings('')).toEqual([expect.stringMatching(/^error: .*Make it: meikai cluster install serving/)])
  expect(await findings("command: 'llama-server -m {folder}'")).toEqual([])
})

it('a port that is taken', async () => {
  await writePackages(pinned)
  const other = createServer()
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  const { port } = other.address() as { port: number }
  expect(await findings(`port: ${port}`)).toContainEqual(expect.stringMatching(/^warning: .*is in use on this machine/))
  other.close()
})

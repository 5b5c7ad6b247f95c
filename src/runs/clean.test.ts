// Cleaning: leftovers of finished stages go, everything that is built on or needed to go on stays.
import { mkdir, mkdtemp, readdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { beforeEach, expect, it } from 'vitest'
import { cleanRun } from './clean.ts'
import { describeOutputs, writeManifest } from './manifest.ts'

let run: string
beforeEach(async () => {
  run = await mkdtemp(join(tmpdir(), 'clean-'))
})

async function stage(id: string, files: string[], outputs: string[] | null): Promise<void> {
  for (const file of files) {
    await mkdir(dirname(join(run, id, file)), { recursive: true })
    await writeFile(join(run, id, file), 'x'.repeat(file.length))
  }
  if (outputs === null) return
  await writeManifest(join(run, id), {
    stage: id,
    title: id,
    settings: {},
    inputs: {},
    dependencies: {},
    outputs: await describeOutputs(join(run, id), outputs),
    seed: 0,
    threads: 1,
    versions: {},
    sources: [],
    summary: '',
    seconds: 0,
  })
}

const trained = [
  'started.json',
  'metrics.jsonl',
  'training/checkpoints/step-10/weights',
  'training/snapshots/step-5/weights',
  'training/result/model.safetensors',
]

it('takes checkpoints, snapshots and partial work of finished stages', async () => {
  await stage('pretrain', trained, ['training/result'])
  await stage('probe-pretrain', ['probes.jsonl'], ['probes.jsonl'])
  await stage('sample', ['samples.jsonl', 'partial.jsonl'], ['samples.jsonl'])
  const expected = ['pretrain/training/checkpoints', 'pretrain/training/snapshots', 'sample/partial.jsonl']
  const dry = await cleanRun(run, { apply: false })
  expect(dry.map(({ path }) => path).sort()).toEqual(expected)
  expect(dry[0]?.bytes).toBe('training/checkpoints/step-10/weights'.length)
  expect(await cleanRun(run, { apply: true })).toEqual(dry)
  expect(await readdir(join(run, 'pretrain', 'training'))).toEqual(['result'])
  expect((await readdir(join(run, 'pretrain'))).sort()).toEqual([
    'manifest.json',
    'metrics.jsonl',
    'started.json',
    'training',
  ])
  expect(await cleanRun(run, { apply: false })).toEqual([])
})

it('leaves snapshots that are still to be probed', async () => {
  await stage('pretrain', trained, ['training/result'])
  await stage('probe-pretrain', ['partial.jsonl'], null)
  expect((await cleanRun(run, { apply: false })).map(({ path }) => path)).toEqual(['pretrain/training/checkpoints'])
})

it('leaves an interrupted stage as it is', async () => {
  await stage('corpus', ['training.jsonl'], ['training.jsonl'])
  await stage('pretrain', trained.slice(0, 4), null)
  expect(await cleanRun(run, { apply: false })).toEqual([])
})

it('says where there is no run', async () => {
  await expect(cleanRun(join(run, 'nowhere'), { apply: false })).rejects.toThrow('holds no finished stages')
})

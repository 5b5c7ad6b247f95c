// Trainings that cannot go on say why, and keep what is finished: an exploding loss, a full disk.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { UserError } from '../src/base/errors.ts'
import { writeFileAtomic } from '../src/base/files.ts'
import { train } from '../src/engine/embedded/train.ts'
import type { TrainingJob } from '../src/engine/engine.ts'
import { prepareJob } from './training-example.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'meikai-failures-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

async function failureOf(job: TrainingJob): Promise<unknown> {
  try {
    for await (const _ of train(job, new AbortController().signal));
  } catch (error) {
    return error
  }
  return undefined
}

it('stops at a loss that explodes, naming step and documents, and keeps the checkpoint before it', async () => {
  const job = await prepareJob(folder, 'next-token', {
    learningRate: 1e4,
    schedule: 'constant',
    warmupSteps: 6,
    checkpointEverySteps: 1,
    clipNorm: 1e9,
  })
  const failure = await failureOf(job)
  expect(failure).toBeInstanceOf(UserError)
  const [, step] = /^step (\d+): the (loss|gradient) (exploded to|is no number)/.exec((failure as Error).message) ?? []
  expect(Number(step)).toBeGreaterThan(1)
  expect((failure as Error).message).toMatch(/In the batch .*: d\d+/)
  expect(readdirSync(join(job.outputFolder, 'checkpoints')).join()).toContain(String(Number(step) - 1))
})

it('stops at a loss that is a number, but beyond what guessing costs many times over', async () => {
  const job = await prepareJob(folder, 'preference', { learningRate: 0.1, warmupSteps: 0 })
  if (job.objective.kind !== 'preference') throw new Error('no preference job')
  const failure = await failureOf({ ...job, objective: { ...job.objective, beta: 1e4 } })
  expect(failure).toBeInstanceOf(UserError)
  expect((failure as Error).message).toMatch(/^step \d+: the loss exploded to \d/)
})

it.each([
  ['next-token', 0.001, /next-token\.jsonl: 0\.001 passes over its 60 documents come to no step\. Raise epochs/],
  ['preference', 0.01, /preference\.jsonl: 0\.01 passes over its 24 pairs come to no step\. Raise epochs/],
] as const)('refuses a %s training of %d passes, in which nothing would be learnt', async (kind, epochs, message) => {
  const { steps: _, ...job } = await prepareJob(folder, kind)
  expect(await failureOf({ ...job, epochs })).toMatchObject({ message: expect.stringMatching(message) })
})

/** A folder on a file system of 256 KB of its own, where one may be mounted. */
function mountSmallDisk(): string | undefined {
  const place = join(folder, 'disk')
  mkdirSync(place)
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', place], { stdio: 'ignore' })
    return place
  } catch {
    return undefined
  }
}

it('says that the disk is full, and leaves nothing half-written', async (context) => {
  const disk = mountSmallDisk()
  if (disk === undefined) return context.skip('mounting a small disk needs root on Linux')
  try {
    const file = join(disk, 'weights')
    await writeFileAtomic(file, 'finished')
    await expect(writeFileAtomic(file, new Uint8Array(2 ** 20))).rejects.toThrow(/weights: the disk is full.*Free some/)
    expect(readdirSync(disk)).toEqual(['weights'])

    const job = await prepareJob(folder, 'next-token', { outputFolder: join(disk, 'output'), checkpointEverySteps: 1 })
    const failure = await failureOf({ ...job, method: { kind: 'full' }, keepCheckpoints: 50, steps: 50 })
    expect(failure).toBeInstanceOf(UserError)
    expect((failure as Error).message).toMatch(/the disk is full/)
    expect(existsSync(join(disk, 'output', 'checkpoints'))).toBe(true)
  } finally {
    execFileSync('umount', [disk])
  }
})

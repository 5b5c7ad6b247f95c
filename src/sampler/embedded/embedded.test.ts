// The embedded sampler keeps the contract, in a worker thread, and says what is wrong with a model.
import { mkdtempSync, rmSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { writeSmallModel } from '../../../test/small-model.ts'
import { UserError } from '../../base/errors.ts'
import { describeSampler } from '../sampler.contract.ts'
import { openEmbeddedSampler } from './embedded.ts'

const folder = mkdtempSync(join(tmpdir(), 'meikai-sampler-'))
afterAll(() => rmSync(folder, { recursive: true }))
const options = { threads: 2, sequences: 4 }

describeSampler('the embedded sampler', async () => {
  await writeSmallModel(join(folder, 'model'))
  return {
    sampler: await openEmbeddedSampler({ folder: join(folder, 'model') }, options),
    prompts: ['丐丑丒', '且', '丕世丗丘丙业', '丛东'],
    tooLong: '丐'.repeat(256),
  }
})

it('fails when it is opened on a model that cannot be read', async () => {
  const opening = openEmbeddedSampler({ folder: join(folder, 'nowhere') }, options)
  await expect(opening).rejects.toThrow(UserError)
  await writeSmallModel(join(folder, 'broken'))
  await rm(join(folder, 'broken/model.safetensors'))
  await expect(openEmbeddedSampler({ folder: join(folder, 'broken') }, options)).rejects.toThrow(/no weights/)
})

it('tells what two hundred thousand prompts take', async () => {
  const sampler = await openEmbeddedSampler({ folder: join(folder, 'model') }, options)
  const requests = Array.from({ length: 200_000 }, (_, i) => ({ id: `q${i}`, prompt: [5], samples: 1 }))
  const settings = { maxTokens: 1, temperature: 0, topP: 1, topK: 0, stopTokens: [], stopStrings: [], seed: 0 }
  expect((await sampler.estimate(requests, settings)).seconds).toBeGreaterThan(0)
  await sampler.close()
})

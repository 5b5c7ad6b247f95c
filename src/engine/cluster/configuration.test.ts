// The configuration that LLaMA-Factory is started with says of the adapters what the job says.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { parse } from 'yaml'
import { prepareJob as prepareExample, smallLora } from '../../../test/training-example.ts'
import type { LoraMethod } from '../engine.ts'
import { writeConfiguration } from './configuration.ts'
import { plainSettings as settings } from './settings.fixture.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meikai-configuration-'))
})
afterAll(() => rm(folder, { recursive: true }))

async function configure(method: LoraMethod): Promise<Record<string, unknown>> {
  const job = await prepareExample(folder, 'next-token', { method })
  const rows = { steps: 12, rowsPerStep: 4, stepTokens: [], evaluations: {}, filled: 0, longest: 16 }
  return parse(writeConfiguration({ job, settings, rows, folder })) as Record<string, unknown>
}

it('names rank, alpha and modules, and plain scaling without dropout', async () => {
  const written = await configure(smallLora)
  expect(written).toMatchObject({ lora_rank: 3, lora_alpha: 6, lora_dropout: 0 })
  expect(written.lora_target).toBe(smallLora.targetModules.join(','))
  expect(written).not.toHaveProperty('use_rslora')
})

it('names dropout and rank-stabilised scaling', async () => {
  const written = await configure({ ...smallLora, dropout: 0.1, rankStabilised: true })
  expect(written).toMatchObject({ lora_dropout: 0.1, use_rslora: true })
})

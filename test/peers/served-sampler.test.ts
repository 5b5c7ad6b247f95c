// The server sampler against a real server, started as a run starts its own: transformers serve on the CPU keeps the
// contract's required part.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { collect, describeSampler } from '../../src/sampler/sampler.contract.ts'
import type { Sampler } from '../../src/sampler/sampler.ts'
import { openServerSampler } from '../../src/sampler/server/server.ts'
import { listServers } from '../../src/sampler/started/server-end.ts'
import { ServerKeeper } from '../../src/sampler/started/server-keeper.ts'
import { asciiTokens, writeAsciiTokenizer } from '../ascii-tokenizer.ts'
import { writeSmallModel } from '../small-model.ts'

const python = process.env.MEIKAI_PEERS_PYTHON ?? 'python3'
const program = 'from transformers.cli.transformers import main; main()'

let folder: string
let model: string
let keeper: ServerKeeper
let url: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meikai-served-'))
  model = join(folder, 'model')
  await writeSmallModel(model, { architectures: ['Qwen2ForCausalLM'], vocab_size: asciiTokens })
  await writeAsciiTokenizer(model)
  const settings = {
    place: 'here',
    environment: dirname(dirname(python)),
    command: `'${python}' -c '${program}' serve {folder} --host {host} --port {port} --device cpu`,
    arguments: [],
    listen: 'loopback',
    gpus: 0,
    startSeconds: 240,
    retries: 0,
    setup: [],
  } as const
  keeper = new ServerKeeper(join(folder, 'runs', 'peers', 'server'), settings, new AbortController().signal)
  url = (await keeper.use({ folder: model, name: model })).url
})
afterAll(async () => {
  await keeper.release()
  expect(await listServers(join(folder, 'runs'))).toMatchObject([{ state: 'done' }])
  await rm(folder, { recursive: true })
})

function open(): Sampler {
  const endpoints = [{ url, concurrency: 2 }]
  const settings = { endpoints, model, api: 'completions', dialect: 'plain', samplesPerCall: 1 } as const
  return openServerSampler({ ...settings, timeoutSeconds: 60, attempts: 3 })
}

describe('transformers serve', () => {
  describeSampler('transformers serve', async () => ({
    sampler: open(),
    prompts: ['one', 'two', 'three', 'four'],
    tooLong: 'x'.repeat(256),
  }))

  it('writes the same again greedily', async () => {
    const sampler = open()
    const requests = [{ id: 'a', prompt: 'one two', samples: 1 }]
    const [whole] = await collect(sampler, requests, { temperature: 0, maxTokens: 8 })
    const [again] = await collect(sampler, requests, { temperature: 0, maxTokens: 8 })
    expect(again!.text).toBe(whole!.text)
    expect(whole!.text.length).toBeGreaterThan(0)
    await sampler.close()
  })
})

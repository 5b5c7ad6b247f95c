// The server sampler keeps the contract, whatever the server can, and comes through everything that a server can do wrong.
import { afterEach, describe, expect, it } from 'vitest'
import { UserError } from '../../base/errors.ts'
import { collect, describeSampler, plainSettings } from '../sampler.contract.ts'
import type { SampleRequest } from '../sampler.ts'
import { FakeServer, type FakeServerOptions, type Fault } from './fake-server.fixture.ts'
import { type EndpointSettings, openServerSampler, type ServerSettings } from './server.ts'

const servers: FakeServer[] = []
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()))
})

async function start(options: FakeServerOptions = {}): Promise<FakeServer> {
  const server = await FakeServer.start(options)
  servers.push(server)
  return server
}

function settingsFor(urls: readonly string[], more: Partial<ServerSettings & EndpointSettings> = {}): ServerSettings {
  const { concurrency = 4, keyVariable, requestsPerMinute, ...rest } = more
  return {
    endpoints: urls.map((url) => ({ url, concurrency, keyVariable, requestsPerMinute })),
    model: 'a-model',
    api: 'completions',
    dialect: 'plain',
    samplesPerCall: 1,
    timeoutSeconds: 5,
    attempts: 6,
    ...rest,
  }
}

describe.each([
  ['vLLM', { dialect: 'vllm' }],
  ['vLLM, three samples a call', { dialect: 'vllm', samplesPerCall: 3 }],
  ["OpenAI's chat", { dialect: 'openai', api: 'chat' }],
  ['any server', { dialect: 'plain' }],
] as [string, Partial<ServerSettings>][])('as %s', (name, more) => {
  describeSampler(`the sampler of a server: ${name}`, async () => {
    const server = await FakeServer.start({ contextTokens: 64 })
    const sampler = openServerSampler(settingsFor([server.url], more))
    return {
      sampler: { ...sampler, close: () => sampler.close().then(() => server.close()) },
      prompts: ['one', 'two', 'three', 'four'],
      tooLong: 'x'.repeat(64),
    }
  })
})

const requests = (count: number, samples = 1): SampleRequest[] =>
  Array.from({ length: count }, (_, i) => ({ id: `q${i}`, prompt: `prompt ${i}`, samples }))

describe('faults pass, and nothing is lost or doubled', () => {
  const choice = (more: object) =>
    JSON.stringify({ choices: [{ index: 0, text: 'x', finish_reason: 'stop', ...more }] })
  it.each<[string, Fault]>([
    ['429', { kind: 'status', status: 429 }],
    ['429 with Retry-After', { kind: 'status', status: 429, headers: { 'retry-after': '0' } }],
    ['500', { kind: 'status', status: 500, body: '<html>Internal Server Error</html>' }],
    ['502', { kind: 'status', status: 502, body: '' }],
    ['503', { kind: 'status', status: 503 }],
    ['529', { kind: 'status', status: 529 }],
    ['a cut stream', { kind: 'cut' }],
    ['a connection that breaks', { kind: 'reset' }],
    ['an empty body', { kind: 'text', body: '' }],
    ['no choices', { kind: 'text', body: '{"choices": []}' }],
    ['no JSON', { kind: 'text', body: 'upstream is sad' }],
    ['half of some JSON', { kind: 'text', body: '{"choices": [{"ind' }],
    ['other JSON', { kind: 'text', body: '{"result": "x"}' }],
    ['JSON that is no object', { kind: 'text', body: 'null' }],
    ['no text', { kind: 'text', body: choice({ text: undefined }) }],
    ['no stop reason', { kind: 'text', body: choice({ finish_reason: null }) }],
    [
      'more choices than asked for',
      {
        kind: 'text',
        body: '{"choices": [{"index":0,"text":"a","finish_reason":"stop"},{"index":1,"text":"b","finish_reason":"stop"}]}',
      },
    ],
    ['another choice than asked for', { kind: 'text', body: choice({ index: 1 }) }],
    ['an answer that comes too late', { kind: 'slow', milliseconds: 1500 }],
  ])('%s', async (_, fault) => {
    // The first call, and one in the midst of others.
    const server = await start({ fault: (call) => (call === 0 || call === 5 ? fault : undefined) })
    const sampler = openServerSampler(settingsFor([server.url], { timeoutSeconds: fault.kind === 'slow' ? 1 : 5 }))
    const undisturbed = openServerSampler(settingsFor([(await start()).url]))
    expect(await collect(sampler, requests(12, 2))).toEqual(await collect(undisturbed, requests(12, 2)))
    expect(server.calls).toBe(26)
    await Promise.all([sampler.close(), undisturbed.close()])
  })

  it('a busy endpoint is left alone as long as it asks', async () => {
    const times: number[] = []
    const server = await start({
      fault: (call) => {
        times.push(performance.now())
        return call === 0 ? { kind: 'status', status: 429, headers: { 'retry-after': '1' } } : undefined
      },
    })
    const sampler = openServerSampler(settingsFor([server.url], { concurrency: 1 }))
    await collect(sampler, requests(2))
    expect(times[1]! - times[0]!).toBeGreaterThan(990)
    await sampler.close()
  })

  it('a rate is kept', async () => {
    const times: number[] = []
    const server = await start({ fault: () => void times.push(performance.now()) })
    const sampler = openServerSampler(settingsFor([server.url], { requestsPerMinute: 600 }))
    await collect(sampler, requests(6))
    // 100 ms apart; a call may be on its way for some of that.
    expect(times.at(-1)! - times[0]!).toBeGreaterThan(450)
    await sampler.close()
  })

  it('never asks more at once than is allowed, and the emptiest endpoint first', async () => {
    const [slow, fast] = [await start({ latencyMilliseconds: 100 }), await start({ latencyMilliseconds: 10 })]
    const sampler = openServerSampler(settingsFor([slow.url, fast.url], { concurrency: 3 }))
    await collect(sampler, requests(60))
    expect([slow.mostInFlight, fast.mostInFlight]).toEqual([3, 3])
    expect(slow.calls + fast.calls).toBe(60)
    expect(fast.calls).toBeGreaterThan(2 * slow.calls)
    await sampler.close()
  })

  it('an endpoint that is gone is set aside, and its calls go elsewhere', async () => {
    const gone = await start()
    const [good, lost] = [await start({ latencyMilliseconds: 20 }), gone.url]
    await gone.close()
    servers.splice(servers.indexOf(gone), 1)
    const sampler = openServerSampler(settingsFor([lost, good.url]))
    expect(await collect(sampler, requests(40))).toHaveLength(40)
    expect(good.calls).toBe(40)
    await sampler.close()
  })

  it('an endpoint that comes back is asked again', async () => {
    const server = await start({ latencyMilliseconds: 5, fault: (call) => (call < 6 ? { kind: 'reset' } : undefined) })
    const other = await start({ latencyMilliseconds: 50 })
    const sampler = openServerSampler(settingsFor([server.url, other.url]))
    expect(await collect(sampler, requests(150))).toHaveLength(150)
    expect(server.calls).toBeGreaterThan(20)
    await sampler.close()
  })
})

describe('what no retry mends ends at once and says what to do', () => {
  it.each<[string, Fault, RegExp]>([
    [
      'a wrong key',
      { kind: 'status', status: 401, body: '{"error": {"message": "Incorrect API key: very-secret"}}' },
      /q0.*401.*Incorrect API key: \*\*\*.*MY_KEY/,
    ],
    [
      'an unknown model',
      { kind: 'status', status: 404, body: '{"detail": "no model"}' },
      /404: no model.*model's name.*\/v1/,
    ],
    [
      'a field that it does not take',
      { kind: 'status', status: 422, body: '{"detail": [{"msg": "extra"}]}' },
      /422.*extra/,
    ],
    [
      'a redirection',
      { kind: 'status', status: 307, headers: { location: 'http://elsewhere.example/' } },
      /not followed/,
    ],
  ])('%s', async (_, fault, message) => {
    const server = await start({ fault: () => fault })
    const settings = settingsFor([server.url], { concurrency: 1, keyVariable: 'MY_KEY' })
    const sampler = openServerSampler(settings, { MY_KEY: 'very-secret' })
    const failed = collect(sampler, requests(3))
    await expect(failed).rejects.toThrow(UserError)
    await expect(failed).rejects.toThrow(message)
    await expect(failed).rejects.not.toThrow(/very-secret/)
    expect(server.calls).toBe(1)
    expect(server.authorizations).toEqual(['Bearer very-secret'])
    await sampler.close()
  })

  it('a server that never answers is given up, with the last reason', async () => {
    const server = await start({ fault: () => ({ kind: 'status', status: 500, body: 'CUDA out of memory' }) })
    const sampler = openServerSampler(settingsFor([server.url], { attempts: 2, concurrency: 1 }))
    await expect(collect(sampler, requests(4))).rejects.toThrow(
      /no (answer|endpoint answers).*500: CUDA out of memory.*run again/,
    )
    await sampler.close()
  })

  it.each<[string, Partial<EndpointSettings>, RegExp]>([
    ['no address', { url: 'localhost:8000' }, /http/],
    ['a key in the address', { url: 'http://user:secret@host/v1' }, /no user, password/],
    ['a key that is not there', { url: 'http://host/v1', keyVariable: 'NOWHERE' }, /NOWHERE is not set/],
  ])('%s', (_, endpoint, message) => {
    const settings = settingsFor([])
    const open = () => openServerSampler({ ...settings, endpoints: [{ url: '', concurrency: 1, ...endpoint }] }, {})
    expect(open).toThrow(UserError)
    expect(open).toThrow(message)
    expect(open).not.toThrow(/secret/)
  })

  it.each<[string, Partial<SampleRequest>, object, RegExp]>([
    ['token ids', { prompt: [1, 2] }, {}, /token ids.*vllm/],
    ['a conversation', { prompt: [{ role: 'user', content: 'a' }] }, {}, /conversations.*chat/],
    ['top k', {}, { topK: 5 }, /topK/],
    ['stop tokens', {}, { stopTokens: [5] }, /stop tokens/],
    ['texts to weigh', { continuations: ['a'] }, {}, /weigh/],
  ])('%s, which not every server takes', async (_, request, settings, message) => {
    const server = await start()
    const sampler = openServerSampler(settingsFor([server.url]))
    await expect(collect(sampler, [{ ...requests(1)[0]!, ...request }], settings)).rejects.toThrow(message)
    expect(server.calls).toBe(0)
    await sampler.close()
  })
})

describe('what is asked', () => {
  it('has the common fields alone where nothing more is known of the server', async () => {
    const server = await start()
    const sampler = openServerSampler(settingsFor([server.url]))
    await collect(sampler, requests(1), { temperature: 0 })
    expect(server.bodies[0]).toEqual({ model: 'a-model', prompt: 'prompt 0', max_tokens: 12, temperature: 0, top_p: 1 })
    expect(sampler.hosts).toEqual([new URL(server.url).host])
    expect(sampler.usage).toEqual({ promptTokens: 8, newTokens: 11 })
    await sampler.close()
  })

  it('leaves nothing open that vLLM would take from the generation settings of the model', async () => {
    const server = await start()
    const sampler = openServerSampler(settingsFor([server.url], { dialect: 'vllm' }))
    await collect(sampler, requests(1), { topK: 0 })
    await collect(sampler, requests(1), { topK: 5 })
    const closed = { min_p: 0, repetition_penalty: 1, presence_penalty: 0, frequency_penalty: 0, top_p: 1 }
    expect(server.bodies).toMatchObject([
      { ...closed, top_k: 0 },
      { ...closed, top_k: 5 },
    ])
    await sampler.close()
  })

  it('is a conversation on the chat interface', async () => {
    const server = await start()
    const sampler = openServerSampler(settingsFor([server.url], { api: 'chat', dialect: 'openai' }))
    const messages = [
      { role: 'system' as const, content: 'Be brief.' },
      { role: 'user' as const, content: 'Why?' },
    ]
    await collect(sampler, [
      { id: 'a', prompt: messages, samples: 1 },
      { id: 'b', prompt: 'plain', samples: 1 },
    ])
    expect(server.bodies.map((body) => body.messages)).toEqual([messages, [{ role: 'user', content: 'plain' }]])
    expect(server.bodies[0]!.max_completion_tokens).toBe(plainSettings.maxTokens)
    await sampler.close()
  })

  it('text after a stop string is cut where the server went on', async () => {
    const body = JSON.stringify({ choices: [{ index: 0, text: 'b\n問題：次', finish_reason: 'length' }] })
    const server = await start({ fault: () => ({ kind: 'text', body }) })
    const sampler = openServerSampler(settingsFor([server.url]))
    const [completion] = await collect(sampler, requests(1), { stopStrings: ['\n問題：'] })
    expect(completion).toMatchObject({ text: 'b', finishReason: 'stop-string' })
    await sampler.close()
  })
})

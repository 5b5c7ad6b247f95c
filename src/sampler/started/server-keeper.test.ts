// Servers of a run's own, as real processes with a fake vLLM: started, shared, handed over, taken up again, and none left behind.
import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { holdersOf, lockGpus } from '../../../test/fake-gpus.ts'
import { type Behaviour, behave, fakeFiles, listStarts, writeFakeServing } from '../../../test/fake-vllm.fixture.ts'
import { readJson } from '../../base/files.ts'
import { collect, describeSampler } from '../sampler.contract.ts'
import type { Sampler } from '../sampler.ts'
import { openServerSampler } from '../server/server.ts'
import { endServer, listServers } from './server-end.ts'
import { type KeeperTimes, type RunningServer, ServerKeeper } from './server-keeper.ts'
import { type ServerRecord, serverFolder, writeServerRecord } from './server-record.ts'
import type { Served, StartSettings } from './start-settings.ts'
import { openStartedSampler } from './started-sampler.ts'

const folder = await mkdtemp(join(tmpdir(), 'meikai-keeper-'))
const environment = join(folder, 'serving')
const runs = join(folder, 'runs')
const server = join(runs, 'a-run', serverFolder)
const lock = join(environment, fakeFiles.lock)
const quick: Behaviour = { loadMilliseconds: 50 }
const model: Served = { folder: '/models/one', name: 'one' }
const times: KeeperTimes = { look: { here: 100, slurm: 100 }, leaseSeconds: 60 }
const never = new AbortController().signal

beforeEach(() => writeFakeServing(environment, quick))
afterAll(async () => {
  await endServer(server, 'done')
  await rm(folder, { recursive: true })
})

const settings: StartSettings = {
  place: 'here',
  environment,
  arguments: [],
  listen: 'loopback',
  gpus: 2,
  startSeconds: 30,
  retries: 2,
  setup: [],
}

function keep(more: Partial<StartSettings> = {}, signal = never): ServerKeeper {
  return new ServerKeeper(server, { ...settings, ...more }, signal, times)
}

/** What a process leaves that uses a server and is killed. */
async function useAndDie(own: Partial<KeeperTimes>): Promise<string> {
  const job = { folder: server, settings, served: model, times: { ...times, ...own } }
  const program = join(import.meta.dirname, 'server-keeper.fixture.ts')
  const child = spawn(process.execPath, ['--import', 'tsx', program, JSON.stringify(job)], { detached: true })
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout.once('data', (text) => resolve(String(text).trim()))
    child.stderr.once('data', (text) => reject(new Error(String(text))))
  })
  const ended = new Promise((resolve) => child.once('exit', resolve))
  // With all that is in its group.
  process.kill(-(child.pid ?? 0), 'SIGKILL')
  await ended
  expect(holdersOf(lock)).toHaveLength(2)
  return url
}

async function waitUntilFree(): Promise<void> {
  for (let i = 0; i < 150 && holdersOf(lock).length > 0; i++) await sleep(100)
}

async function open({ url, key }: RunningServer, name = model.name): Promise<Sampler> {
  const keyVariable = 'KEY'
  const endpoints = [{ url, concurrency: 4, ...(key !== undefined && { keyVariable }) }]
  const settings = { endpoints, model: name, api: 'completions', dialect: 'vllm', samplesPerCall: 1 } as const
  return openServerSampler({ ...settings, timeoutSeconds: 5, attempts: 10 }, { [keyVariable]: key })
}

const pidsOf = async () => (await listStarts(environment)).map(({ pid }) => pid)
async function expectGone(): Promise<void> {
  expect(holdersOf(lock)).toEqual([])
  expect((await listServers(runs)).map(({ state }) => state)).not.toContain('running')
}

describe('a server of its own', () => {
  it('is there when it answers, stays while the same is asked for, and makes way for another', async () => {
    const keeper = keep({ arguments: ['--max-model-len=64'] })
    const first = await keeper.use(model)
    expect((await collect(await open(first), [{ id: 'a', prompt: 'x', samples: 3 }])).length).toBe(3)
    expect(await keeper.use(model)).toBe(first)
    // The fake refuses to start beside another, as GPUs would.
    const second = await keeper.use({ folder: '/models/two', name: 'two', adapterRank: 17 })
    expect(first.gone.aborted).toBe(true)
    const starts = await listStarts(environment)
    expect(starts.map(({ name, model: from }) => [name, from])).toEqual([
      ['one', '/models/one'],
      ['two', '/models/two'],
    ])
    expect(second.url).toBe(`http://127.0.0.1:${starts[1]?.port}/v1`)
    expect(starts[0]?.rest.join(' ')).toMatch(/--host 127\.0\.0\.1 .*--tensor-parallel-size 2 --max-model-len=64$/)
    expect(starts[1]?.rest.join(' ')).toMatch(/--enable-lora --max-lora-rank 32/)
    expect(await listServers(runs)).toMatchObject([{ name: 'meikai-a-run-server', state: 'running', serves: 'two' }])
    await keeper.release()
    // Its worker too, which no polite signal ends: the GPUs are free when release returns.
    await expectGone()
    lockGpus(lock, [])
    expect(await listServers(runs)).toMatchObject([{ state: 'done', starts: 2 }])
    await keeper.release()
  })

  it('is taken up again by the next process where one was killed, unless that needs another', async () => {
    const url = await useAndDie({})
    expect((await keep().use(model)).url).toBe(url)
    expect(await pidsOf()).toHaveLength(1)
    await keep({ gpus: 1 }).use(model)
    expect(await pidsOf()).toHaveLength(2)
    await keep().release()
    await expectGone()
  })

  it('is found by its script where its start was never written down', async () => {
    const url = await useAndDie({})
    const record = (await readJson(join(server, 'server.json'))) as ServerRecord
    await writeServerRecord(server, { ...record, handle: undefined } as ServerRecord)
    expect((await keep().use(model)).url).toBe(url)
    await writeServerRecord(server, { ...record, handle: undefined } as ServerRecord)
    await keep().release()
    await expectGone()
  })

  it('is ended by the next process where one was killed and nothing is to be sampled any more', async () => {
    await useAndDie({})
    await keep().release()
    await expectGone()
  })

  it('ends by itself when nobody has needed it for a while', async () => {
    await useAndDie({ leaseSeconds: 2 })
    await waitUntilFree()
    await expectGone()
  })

  it('leaves nothing behind where its script is killed', async () => {
    const used = await keep().use(model)
    const [overview] = await listServers(runs)
    process.kill(Number(overview?.id.slice(1)), 'SIGKILL')
    await waitUntilFree()
    await expectGone()
    expect(used.gone.aborted).toBe(true)
    expect((await listServers(runs))[0]?.state).toBe('failed')
  })

  it('carries a key where it listens to the network', async () => {
    const keeper = keep({ listen: 'network' })
    const { key } = await keeper.use(model)
    expect(key).toMatch(/^[0-9a-f]{48}$/)
    expect((await listStarts(environment))[0]?.rest).toContain('0.0.0.0')
    await keeper.release()
  })

  it('is not waited for once the run is interrupted', async () => {
    await behave(environment, { loadMilliseconds: 0, isNeverHealthy: true })
    const stop = new AbortController()
    const used = keep({}, stop.signal).use(model)
    setTimeout(() => stop.abort(new Error('enough')), 1000)
    await expect(used).rejects.toThrow('enough')
    await expectGone()
  })
})

describe('what keeps a server from coming up is said in one line, with its log, and nothing stays', () => {
  it.each<[string, string, RegExp]>([
    ['memory', 'torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB', /too little memory.*gpus/],
    [
      'memory that others hold',
      'ValueError: Free memory on device cuda:0 (3/80 GiB) on startup is less than desired GPU memory utilization',
      /something else holds the GPU's memory.*nvidia-smi/,
    ],
    [
      'no GPU',
      'RuntimeError: Failed to infer device type, please set the environment variable',
      /no GPU.*sampler\.start\.command/,
    ],
    ['the model', 'OSError: /models/one is not a local folder and is not a valid model identifier', /not found there/],
    ['arguments', 'vllm: error: unrecognized arguments: --flash', /--flash.*sampler\.start\.arguments/],
    ['the port', 'OSError: [Errno 98] Address already in use', /port was taken/],
    [
      'anything else',
      'Traceback\nValueError: a head of 7 does not go round',
      /ValueError: a head of 7 does not go round/,
    ],
  ])('%s', async (_, says, cause) => {
    await behave(environment, { ...quick, says })
    const used = keep().use(model)
    await expect(used).rejects.toThrow(cause)
    await expect(used).rejects.toThrow(/^the server of one failed: .*Log: .*a-run\/server\/start-\d+\/log\.txt$/)
    await expectGone()
  })

  it('a port that another program has', async () => {
    const other = createServer()
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
    const { port } = other.address() as { port: number }
    await expect(keep({ port }).use(model)).rejects.toThrow(new RegExp(`port ${port} is in use.*sampler.start.port`))
    other.close()
    expect(await pidsOf()).toEqual([])
  })

  it('no environment', async () => {
    const used = keep({ environment: '/nowhere' }).use(model)
    await expect(used).rejects.toThrow(
      /cannot be started \(\/nowhere\/bin\/vllm: No such file.*cluster install serving/,
    )
  })

  it('too long a wait', async () => {
    await behave(environment, { ...quick, isNeverHealthy: true })
    await expect(keep({ startSeconds: 1 }).use(model)).rejects.toThrow(
      /not answer within 1 seconds.*startSeconds.*Log:/,
    )
    await expectGone()
  })
})

describe('a sampler on a server of its own', () => {
  const started = async (keeper: ServerKeeper, retries = 2) =>
    openStartedSampler({ start: () => keeper.use(model), open, retries })
  const requests = Array.from({ length: 30 }, (_, i) => ({ id: `q${i}`, prompt: `prompt ${i}`, samples: 2 }))

  it('goes on where the server is killed in the middle: nothing lost, nothing doubled', async () => {
    const keeper = keep()
    const undisturbed = await collect(await started(keeper), requests)
    await keeper.release()
    await writeFakeServing(environment, { ...quick, diesAtCall: 25 })
    const sampler = await started(keeper)
    expect(await collect(sampler, requests)).toEqual(undisturbed)
    expect((await pidsOf()).length).toBe(3)
    await sampler.close()
    await keeper.release()
    await expectGone()
  })

  it('ends with the cause where it goes again and again, and where it was cancelled', async () => {
    await behave(environment, { ...quick, diesAtCall: 0 })
    const keeper = keep()
    await expect(collect(await started(keeper, 1), requests)).rejects.toThrow(
      /the server of one failed: .*signal.*Log:/,
    )
    expect(await pidsOf()).toHaveLength(2)
    await behave(environment, quick)
    const sampler = await started(keeper)
    const reading = (async () => {
      for await (const _ of sampler.sample(
        [{ id: 'a', prompt: 'x', samples: 5000 }],
        { maxTokens: 8, temperature: 1, topP: 1, topK: 0, stopTokens: [], stopStrings: [], seed: 1 },
        never,
      ));
    })()
    await sleep(300)
    await Promise.all([
      expect(reading).rejects.toThrow(/meikai-a-run-server was cancelled/),
      endServer(server, 'cancelled'),
    ])
    expect((await listServers(runs))[0]?.state).toBe('cancelled')
  })

  describeSampler('the sampler of a server of its own', async () => {
    const keeper = keep()
    const sampler = await started(keeper)
    const close = () => sampler.close().then(() => keeper.release())
    return { sampler: { ...sampler, close }, prompts: ['one', 'two', 'three', 'four'], tooLong: 'x'.repeat(4096) }
  })
})

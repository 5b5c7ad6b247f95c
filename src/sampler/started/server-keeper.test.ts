// Servers of a run's own, as real processes with a fake vLLM: started, shared, handed over, taken up again, and none left behind.
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { holdersOf, lockGpus } from '../../../test/fake-gpus.ts'
import { behave, listStarts, writeFakeServing } from '../../../test/fake-vllm.fixture.ts'
import { readJson } from '../../base/files.ts'
import { collect } from '../sampler.contract.ts'
import { listServers } from './server-end.ts'
import { type ServerRecord, writeServerRecord } from './server-record.ts'
import { makePlace, model, open, quick, times } from './started.fixture.ts'

const place = await makePlace()
const { environment, runs, server, lock, settings, told, keep, pidsOf, waitUntilFree, expectGone } = place

beforeEach(() => writeFakeServing(environment, quick))
afterAll(() => place.remove())

/** What a process leaves that uses a server and is killed. */
async function useAndDie(own: Partial<typeof times>): Promise<string> {
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

  it('has another port than one that loads at the same time for another run', async () => {
    const neighbour = await makePlace()
    await writeFakeServing(neighbour.environment, { loadMilliseconds: 1000 })
    await behave(environment, { loadMilliseconds: 1000 })
    const [own, other] = await Promise.all([keep().use(model), neighbour.keep().use(model)])
    expect(own.url).not.toBe(other.url)
    expect(other.url).toContain(`:${(await listStarts(neighbour.environment))[0]?.port}/`)
    await Promise.all([keep().release(), neighbour.remove()])
  })

  it('is started again where it is killed while it loads, as often as the settings allow', async () => {
    await behave(environment, { ...quick, killedStarts: 2 })
    told.length = 0
    await keep().use(model)
    const steps = told.filter(({ type }) => type !== 'server-wait').map(({ type }) => type)
    const lost = ['server-start', 'server-lost']
    expect(steps).toEqual([...lost, ...lost, 'server-start', 'server-ready'])
    await keep().release()
    await writeFakeServing(environment, { ...quick, killedStarts: 2 })
    await expect(keep({ retries: 1 }).use(model)).rejects.toThrow(/the server of one failed: .*signal.*Log:/)
    expect(await pidsOf()).toHaveLength(2)
    await expectGone()
  })

  it('carries a key where it listens to the network', async () => {
    const keeper = keep({ listen: 'network' })
    const { key } = await keeper.use(model)
    expect(key).toMatch(/^[0-9a-f]{48}$/)
    expect((await listStarts(environment))[0]?.rest).toContain('0.0.0.0')
    await keeper.release()
  })

  it('tells what it waits for, with the last line of its log, until it answers', async () => {
    await behave(environment, { loadMilliseconds: 700, mutters: 'Loading shards: 40 %' })
    told.length = 0
    const keeper = keep()
    await keeper.use(model)
    const waits = told.filter((event) => event.type === 'server-wait')
    expect(told.map(({ type }) => type)).toEqual(['server-start', ...waits.map(({ type }) => type), 'server-ready'])
    expect(told[0]).toMatchObject({ serves: 'one', log: expect.stringMatching(/start-\d+\/log\.txt$/) })
    expect(waits.at(-1)).toMatchObject({ serves: 'one', state: 'running', said: 'Loading shards: 40 %' })
    expect(waits.map(({ seconds }) => seconds)).toEqual(waits.map(({ seconds }) => seconds).sort((a, b) => a - b))
    // One that is there is not waited for.
    told.length = 0
    await keeper.use(model)
    expect(told).toEqual([])
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

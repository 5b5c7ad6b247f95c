// A sampler on a server of its own: a real process with a fake vLLM, which is killed and cancelled while it works.
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { behave, writeFakeServing } from '../../../test/fake-vllm.fixture.ts'
import { collect, describeSampler } from '../sampler.contract.ts'
import { endServer, listServers } from './server-end.ts'
import type { ServerKeeper } from './server-keeper.ts'
import { makePlace, model, never, open, quick } from './started.fixture.ts'
import { openStartedSampler } from './started-sampler.ts'

const place = await makePlace()
const { environment, runs, server, told, keep, pidsOf, expectGone } = place

beforeEach(() => writeFakeServing(environment, quick))
afterAll(() => place.remove())

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
    told.length = 0
    expect(await collect(sampler, requests)).toEqual(undisturbed)
    expect(told.filter(({ type }) => type === 'server-lost')).toMatchObject([{ serves: 'one', cause: /signal/ }, {}])
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

// The fake sampler keeps the contract and records its calls.
import { describe, expect, it } from 'vitest'
import { FAKE_END, FakeSampler } from './fake.ts'
import { collect, describeSampler } from './sampler.contract.ts'

describeSampler('the fake sampler', async () => ({
  sampler: new FakeSampler(undefined, 64),
  prompts: ['one', 'two', 'three', 'four'],
  tooLong: 'x'.repeat(64),
}))

describe('the fake sampler', () => {
  it('writes what it is told and records what it was asked', async () => {
    const sampler = new FakeSampler(({ prompt }, sample) => `${prompt}${sample}${FAKE_END}`)
    const requests = [{ id: 'a', prompt: 'p', samples: 2 }]
    expect((await collect(sampler, requests)).map(({ text, finishReason }) => [text, finishReason])).toEqual([
      ['p0', 'end'],
      ['p1', 'end'],
    ])
    expect((await collect(sampler, requests, { maxTokens: 1 }))[0]).toMatchObject({ text: 'p', finishReason: 'length' })
    expect(sampler.calls.map(({ settings }) => settings.maxTokens)).toEqual([12, 1])
  })
})

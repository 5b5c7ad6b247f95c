// What every sampler must do. Each implementation's test runs these cases on its own sampler.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { UserError } from '../base/errors.ts'
import type { Completion, SampleRequest, Sampler, SamplingSettings } from './sampler.ts'

export const plainSettings: SamplingSettings = {
  maxTokens: 12,
  temperature: 1,
  topP: 1,
  topK: 0,
  stopTokens: [],
  stopStrings: [],
  seed: 7,
}

/** All completions by request and sample, in that order. */
export async function collect(
  sampler: Sampler,
  requests: SampleRequest[],
  settings: Partial<SamplingSettings> = {},
  signal = new AbortController().signal,
): Promise<Completion[]> {
  const completions: Completion[] = []
  for await (const completion of sampler.sample(requests, { ...plainSettings, ...settings }, signal)) {
    completions.push(completion)
  }
  return completions.sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : a.sample - b.sample))
}

/** Runs the contract. `open` gives a sampler, prompts that it takes, and one that is longer than its context. */
export function describeSampler(
  name: string,
  open: () => Promise<{ sampler: Sampler; prompts: string[]; tooLong: string }>,
): void {
  describe(`${name}, as every sampler`, () => {
    let sampler: Sampler
    let requests: SampleRequest[]
    let tooLong: string
    beforeAll(async () => {
      const opened = await open()
      sampler = opened.sampler
      tooLong = opened.tooLong
      requests = opened.prompts.map((prompt, i) => ({ id: `q${i}`, prompt, samples: (i % 3) + 1 }))
    })
    afterAll(() => sampler.close())

    it('yields every sample of every request once, with a log-probability a token', async () => {
      const completions = await collect(sampler, requests)
      const expected = requests.flatMap(({ id, samples }) =>
        Array.from({ length: samples }, (_, sample) => `${id}/${sample}`),
      )
      expect(completions.map(({ id, sample }) => `${id}/${sample}`)).toEqual(expected.sort())
      for (const { tokens, logProbabilities, finishReason } of completions) {
        expect(tokens.length).toBeGreaterThan(0)
        expect(tokens.length).toBeLessThanOrEqual(plainSettings.maxTokens)
        if (finishReason === 'length') expect(tokens.length).toBe(plainSettings.maxTokens)
        expect(logProbabilities).toHaveLength(tokens.length)
        expect(logProbabilities.every((value) => value <= 0)).toBe(true)
      }
    })

    it('gives the same samples again, and whatever else is asked for', async () => {
      const all = await collect(sampler, requests)
      expect(await collect(sampler, requests)).toEqual(all)
      const last = requests.at(-1)!
      expect(await collect(sampler, [last])).toEqual(all.filter(({ id }) => id === last.id))
    })

    it('draws other samples from another seed, and the same ones greedily', async () => {
      const texts = async (settings: Partial<SamplingSettings>) =>
        (await collect(sampler, requests, settings)).map(({ text }) => text)
      expect(await texts({ seed: 8 })).not.toEqual(await texts({}))
      expect(await texts({ seed: 8, temperature: 0 })).toEqual(await texts({ temperature: 0 }))
    })

    it('ends at a stop token, which stays among the tokens', async () => {
      const [free] = await collect(sampler, requests.slice(0, 1))
      const stop = free!.tokens[2]!
      const [stopped] = await collect(sampler, requests.slice(0, 1), { stopTokens: [stop] })
      expect(stopped!.tokens).toEqual(free!.tokens.slice(0, free!.tokens.indexOf(stop) + 1))
      expect(stopped!.finishReason).toBe('end')
    })

    it('ends at a stop string and cuts the text before it, not the tokens', async () => {
      const [free] = await collect(sampler, requests.slice(0, 1))
      const stop = free!.text.slice(2, 4)
      const [stopped] = await collect(sampler, requests.slice(0, 1), { stopStrings: ['never written', stop] })
      expect(stopped!.finishReason).toBe('stop-string')
      expect(stopped!.text).toBe(free!.text.slice(0, free!.text.indexOf(stop)))
      expect(free!.tokens.slice(0, stopped!.tokens.length)).toEqual(stopped!.tokens)
      expect(stopped!.tokens.length).toBeGreaterThan(1)
      expect(stopped!.tokens.length).toBeLessThan(free!.tokens.length)
    })

    it('refuses a prompt longer than the context and names the request', async () => {
      const failed = collect(sampler, [...requests, { id: 'the-long-one', prompt: tooLong, samples: 1 }])
      await expect(failed).rejects.toThrow(UserError)
      await expect(failed).rejects.toThrow(/the-long-one.*context/)
    })

    it('refuses two requests of one id', async () => {
      await expect(collect(sampler, [requests[0]!, requests[0]!])).rejects.toThrow(/q0.*twice/)
    })

    it('yields nothing for no requests and for no samples', async () => {
      expect(await collect(sampler, [])).toEqual([])
      expect(await collect(sampler, [{ ...requests[0]!, samples: 0 }])).toEqual([])
    })

    it('ends with the reason of an aborted signal, and works on', async () => {
      const before = new AbortController()
      before.abort(new Error('not wanted'))
      await expect(collect(sampler, requests, {}, before.signal)).rejects.toThrow('not wanted')
      const during = new AbortController()
      const reading = (async () => {
        for await (const _ of sampler.sample(requests, plainSettings, during.signal)) during.abort(new Error('enough'))
      })()
      await expect(reading).rejects.toThrow('enough')
      expect(await collect(sampler, requests)).not.toEqual([])
    })

    it('can be left early', async () => {
      for await (const _ of sampler.sample(requests, plainSettings, new AbortController().signal)) break
      expect(await collect(sampler, requests)).not.toEqual([])
    })

    it('estimates more for more', async () => {
      const one = await sampler.estimate(requests.slice(0, 1), plainSettings)
      const many = await sampler.estimate(requests, { ...plainSettings, maxTokens: 48 })
      expect(one.bytes).toBeGreaterThan(0)
      expect(many.seconds).toBeGreaterThan(one.seconds)
    })
  })
}

// What every sampler must do, and what those do that have a capability. Each implementation's test runs these cases on its own sampler.
import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest'
import { UserError } from '../base/errors.ts'
import type { Capability, Completion, SampleRequest, Sampler, SamplingSettings } from './sampler.ts'

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

/** Runs the contract. `open` gives a sampler, prompts that it takes, and one that is longer than its context. Cases of capabilities that it lacks are skipped and say so. */
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
    /** Skips a case whose capabilities the sampler lacks. */
    const needs = ({ skip }: TestContext, ...wanted: Capability[]) => {
      const lacking = wanted.filter((capability) => !sampler.capabilities.has(capability))
      skip(lacking.length > 0, `${name} lacks: ${lacking.join(', ')}`)
    }
    const namesOf = (completions: Completion[]) => completions.map(({ id, sample }) => `${id}/${sample}`)

    it('yields every sample of every request once, with text and the reason of its end', async () => {
      const completions = await collect(sampler, requests)
      const expected = requests.flatMap(({ id, samples }) =>
        Array.from({ length: samples }, (_, sample) => `${id}/${sample}`),
      )
      expect(namesOf(completions)).toEqual(expected.sort())
      expect(completions.some(({ text }) => text !== '')).toBe(true)
      for (const { finishReason } of completions) expect(['end', 'length']).toContain(finishReason)
    })

    it('leaves out samples that are written already', async () => {
      const [request] = requests.filter(({ samples }) => samples === 3)
      expect(namesOf(await collect(sampler, [{ ...request!, written: [0, 2] }]))).toEqual([`${request!.id}/1`])
      expect(await collect(sampler, [{ ...request!, written: [0, 1, 2] }])).toEqual([])
    })

    it('writes the samples that were left out as it would have written all', async (context) => {
      needs(context, 'seeds')
      const [request] = requests.filter(({ samples }) => samples === 3)
      const all = await collect(sampler, [request!])
      expect(await collect(sampler, [{ ...request!, written: [1] }])).toEqual([all[0], all[2]])
    })

    it('gives tokens with a log-probability each', async (context) => {
      needs(context, 'tokens', 'log-probabilities')
      for (const { tokens, logProbabilities, finishReason } of await collect(sampler, requests)) {
        expect(tokens.length).toBeGreaterThan(0)
        expect(tokens.length).toBeLessThanOrEqual(plainSettings.maxTokens)
        if (finishReason === 'length') expect(tokens.length).toBe(plainSettings.maxTokens)
        expect(logProbabilities).toHaveLength(tokens.length)
        expect(logProbabilities.every((value) => value <= 0)).toBe(true)
      }
    })

    it('gives the same samples again, and whatever else is asked for', async (context) => {
      needs(context, 'seeds')
      const all = await collect(sampler, requests)
      expect(await collect(sampler, requests)).toEqual(all)
      const last = requests.at(-1)!
      expect(await collect(sampler, [last])).toEqual(all.filter(({ id }) => id === last.id))
    })

    it('draws the samples of one prompt apart', async (context) => {
      needs(context, 'seeds')
      const texts = (await collect(sampler, [{ ...requests[0]!, samples: 8 }])).map(({ text }) => text)
      expect(new Set(texts).size).toBeGreaterThan(4)
    })

    it('draws other samples from another seed, and the same ones greedily', async (context) => {
      needs(context, 'seeds')
      const texts = async (settings: Partial<SamplingSettings>) =>
        (await collect(sampler, requests, settings)).map(({ text }) => text)
      expect(await texts({ seed: 8 })).not.toEqual(await texts({}))
      expect(await texts({ seed: 8, temperature: 0 })).toEqual(await texts({ temperature: 0 }))
    })

    it('ends at a stop token, which stays among the tokens', async (context) => {
      needs(context, 'seeds', 'tokens', 'stop-tokens')
      const [free] = await collect(sampler, requests.slice(0, 1))
      const stop = free!.tokens[2]!
      const [stopped] = await collect(sampler, requests.slice(0, 1), { stopTokens: [stop] })
      expect(stopped!.tokens).toEqual(free!.tokens.slice(0, free!.tokens.indexOf(stop) + 1))
      expect(stopped!.finishReason).toBe('end')
    })

    it('leaves the text of a stop token out, whether or not it looks for stop strings', async (context) => {
      needs(context, 'seeds', 'tokens', 'stop-tokens')
      const [free] = await collect(sampler, requests.slice(0, 1))
      const [first, second] = await collect(sampler, requests.slice(0, 1), { maxTokens: 2 }).then(
        ([two]) => two!.tokens,
      )
      const [before] = await collect(sampler, requests.slice(0, 1), { maxTokens: 1 })
      expect(free!.tokens.slice(0, 2)).toEqual([first, second])
      for (const stopStrings of [[], ['never written']]) {
        const [stopped] = await collect(sampler, requests.slice(0, 1), { stopTokens: [second!], stopStrings })
        expect(stopped!.text).toBe(first === second ? '' : before!.text)
      }
    })

    it('ends at a stop string and cuts the text before it, not the tokens', async (context) => {
      needs(context, 'seeds', 'tokens', 'stop-reasons')
      const [free] = await collect(sampler, requests.slice(0, 1))
      const stop = free!.text.slice(2, 4)
      const [stopped] = await collect(sampler, requests.slice(0, 1), { stopStrings: ['never written', stop] })
      expect(stopped!.finishReason).toBe('stop-string')
      expect(stopped!.text).toBe(free!.text.slice(0, free!.text.indexOf(stop)))
      expect(free!.tokens.slice(0, stopped!.tokens.length)).toEqual(stopped!.tokens)
      expect(stopped!.tokens.length).toBeGreaterThan(1)
      expect(stopped!.tokens.length).toBeLessThan(free!.tokens.length)
    })

    it('refuses a prompt longer than the context and names the request', async (context) => {
      needs(context, 'context')
      const failed = collect(sampler, [...requests, { id: 'the-long-one', prompt: tooLong, samples: 1 }])
      await expect(failed).rejects.toThrow(UserError)
      await expect(failed).rejects.toThrow(/the-long-one.*context/)
    })

    it('goes on from token ids as they are', async (context) => {
      needs(context, 'token-prompts', 'tokens', 'seeds')
      const [first] = await collect(sampler, requests.slice(0, 1))
      const request = { ...requests[0]!, prompt: first!.tokens }
      expect(await collect(sampler, [request])).toEqual(await collect(sampler, [request]))
    })

    it('weighs given texts: one log-probability a token, and the likeliest next token is the one that is chosen', async (context) => {
      needs(context, 'continuations', 'seeds', 'tokens')
      const greedy = { temperature: 0, maxTokens: 4 }
      const [chosen] = await collect(sampler, requests.slice(0, 1), greedy)
      const [drawn] = await collect(sampler, requests.slice(0, 1))
      const continuations = [chosen!.text, drawn!.text]
      const asked = { ...requests[0]!, samples: 2, continuations }
      const weighed = await collect(sampler, [asked])
      expect(weighed.map(({ text }) => text)).toEqual(continuations)
      for (const { logProbabilities } of weighed) expect(logProbabilities.every((value) => value <= 0)).toBe(true)
      expect(weighed[0]!.logProbabilities[0]).toBeCloseTo(chosen!.logProbabilities[0]!, 4)
      expect(await collect(sampler, [{ ...asked, written: [0] }])).toEqual([weighed[1]])
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

    it('takes several calls at the same time', async () => {
      const both = await Promise.all([collect(sampler, requests), collect(sampler, requests.slice(0, 2))])
      expect(both.map(({ length }) => length)).toEqual(
        [requests, requests.slice(0, 2)].map((some) => some.reduce((total, { samples }) => total + samples, 0)),
      )
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

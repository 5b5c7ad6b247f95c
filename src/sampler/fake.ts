// A sampler without a model that records its calls: what tests of stages use.
import { UserError } from '../base/errors.ts'
import { Random } from '../base/random.ts'
import type { Estimate } from '../engine/engine.ts'
import {
  type Completion,
  capabilities,
  isTokens,
  missingSamples,
  refuseRepeatedIds,
  type SampleRequest,
  type Sampler,
  type SamplingSettings,
} from './sampler.ts'

/** What a fake writes for a sample, before it is cut at the settings' limits. One token is one character: its code point. */
export type Write = (request: SampleRequest, sample: number, settings: SamplingSettings) => string

/** Ends a text written by a fake: the end token. */
export const FAKE_END = '\u{3}'

const LOG_PROBABILITY = Math.log(1 / 2)

/** Ten letters from the sample's own random numbers, or always the same ones where the settings are greedy. */
const writeLetters: Write = ({ id }, sample, { seed, temperature }) => {
  const random = temperature > 0 ? new Random(seed, 'sample', id, sample) : new Random(0, id)
  return `${Array.from({ length: 10 }, () => String.fromCharCode(97 + random.integer(26))).join('')}${FAKE_END}`
}

export class FakeSampler implements Sampler {
  readonly capabilities = new Set(capabilities)
  readonly hosts = []
  /** Every call of `sample`, oldest first. */
  readonly calls: { requests: SampleRequest[]; settings: SamplingSettings }[] = []
  closed = false
  private readonly write: Write
  private readonly contextTokens: number

  constructor(write: Write = writeLetters, contextTokens = 4096) {
    this.write = write
    this.contextTokens = contextTokens
  }

  async *sample(
    requests: SampleRequest[],
    settings: SamplingSettings,
    signal: AbortSignal,
  ): AsyncGenerator<Completion, void, undefined> {
    signal.throwIfAborted()
    this.calls.push({ requests, settings })
    refuseRepeatedIds(requests)
    for (const { id, prompt } of requests) {
      const length = typeof prompt === 'string' || isTokens(prompt) ? prompt.length : JSON.stringify(prompt).length
      if (length >= this.contextTokens) {
        throw new UserError(`request ${id}: the prompt is longer than the context of ${this.contextTokens} tokens.`)
      }
    }
    for (const request of requests) {
      for (const sample of missingSamples(request)) {
        await null // as a real one, let others run between completions
        signal.throwIfAborted()
        yield this.complete(request, sample, settings)
      }
    }
  }

  async estimate(requests: SampleRequest[], settings: SamplingSettings): Promise<Estimate> {
    const completions = requests.reduce((total, { samples }) => total + samples, 0)
    return { bytes: 1024, seconds: (completions * settings.maxTokens) / 1000, diskBytes: 0 }
  }

  async close(): Promise<void> {
    this.closed = true
  }

  private complete(request: SampleRequest, sample: number, settings: SamplingSettings): Completion {
    const given = request.continuations?.[sample]
    if (given !== undefined) return this.weigh(request.id, sample, given)
    const stopTokens = new Set([FAKE_END.codePointAt(0)!, ...settings.stopTokens])
    const tokens: number[] = []
    let text = ''
    let finishReason: Completion['finishReason'] = 'length'
    for (const character of this.write(request, sample, settings)) {
      if (tokens.length === settings.maxTokens) break
      tokens.push(character.codePointAt(0)!)
      if (stopTokens.has(tokens.at(-1)!)) {
        finishReason = 'end'
        break
      }
      text += character
      const stop = settings.stopStrings.find((string) => text.endsWith(string))
      if (stop === undefined) continue
      finishReason = 'stop-string'
      text = text.slice(0, -stop.length)
      break
    }
    const logProbabilities = tokens.map(() => LOG_PROBABILITY)
    return { id: request.id, sample, tokens, text, logProbabilities, finishReason }
  }

  private weigh(id: string, sample: number, text: string): Completion {
    const tokens = [...text].map((character) => character.codePointAt(0)!)
    return { id, sample, tokens, text, logProbabilities: tokens.map(() => LOG_PROBABILITY), finishReason: 'end' }
  }
}

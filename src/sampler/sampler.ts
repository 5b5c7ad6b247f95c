// The sampler's interface: prompts in, completions out in the order in which they finish.
import { UserError } from '../base/errors.ts'
import type { Estimate, ModelReference } from '../engine/engine.ts'

/** One prompt and how many completions of it are wanted. */
export interface SampleRequest {
  id: string
  /** Text, or token ids (taken as they are). */
  prompt: string | number[]
  samples: number
}

export interface SamplingSettings {
  /** At most this many new tokens, the end token included. */
  maxTokens: number
  /** 0 is greedy. */
  temperature: number
  /** Nucleus: keep the smallest set of tokens with at least this probability; 1 keeps all. */
  topP: number
  /** Keep the k likeliest tokens; 0 keeps all. */
  topK: number
  /** Token ids that end a completion; the model's own end-of-sequence tokens are always among them. */
  stopTokens: number[]
  /** A completion ends when its text contains one of these; the text is cut before it, the tokens are kept. */
  stopStrings: string[]
  /** Sample `i` of request `id` depends on seed, id and i alone, whatever else is in the batch. */
  seed: number
}

export interface Completion {
  /** The request's id. */
  id: string
  /** Which of the request's samples: 0, 1, ... */
  sample: number
  /** New tokens, the end token included where there was one. */
  tokens: number[]
  /** The text of the new tokens, special tokens left out, cut before a stop string. */
  text: string
  /** The model's own log-probability of each token (temperature 1, before top-k and top-p), nats. */
  logProbabilities: number[]
  /** end: a stop token; length: maxTokens or the model's context; stop-string: one of stopStrings. */
  finishReason: 'end' | 'length' | 'stop-string'
}

/** Writes text with one model. */
export interface Sampler {
  /** Yields every sample of every request once. A prompt longer than the context is a UserError that names the request. */
  sample(requests: SampleRequest[], settings: SamplingSettings, signal: AbortSignal): AsyncIterable<Completion>
  estimate(requests: SampleRequest[], settings: SamplingSettings): Promise<Estimate>
  close(): Promise<void>
}

/** Opens a sampler on a model. */
export type OpenSampler = (model: ModelReference, options: { threads: number; sequences: number }) => Promise<Sampler>

/** Every sampler refuses two requests of one id: their samples could not be told apart. */
export function refuseRepeatedIds(requests: SampleRequest[]): void {
  const seen = new Set<string>()
  for (const { id } of requests) {
    if (seen.has(id)) throw new UserError(`request ${id}: the id stands twice among the requests. Give each its own.`)
    seen.add(id)
  }
}

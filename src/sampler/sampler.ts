// The sampler's interface: prompts in, completions out in the order in which they finish.
import { UserError } from '../base/errors.ts'
import type { Estimate, ModelReference } from '../engine/engine.ts'
import type { ChatMessage } from '../tokenizer/chat-template.ts'

export type { ChatMessage }

/** One prompt and how many completions of it are wanted. */
export interface SampleRequest {
  id: string
  /** Text, token ids (taken as they are), or a conversation, which the model's own chat template prints. */
  prompt: string | number[] | ChatMessage[]
  /** How many: samples 0 to samples - 1. */
  samples: number
  /** Those of them that are there already and are not written again. */
  written?: readonly number[]
  /** Sample `i` is this text: nothing is chosen, and what is wanted are its tokens' log-probabilities. */
  continuations?: readonly string[]
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
  /** New tokens, the end token included where there was one; none where the sampler cannot tell. */
  tokens: number[]
  /** The text of the new tokens, special tokens and the one that ended it left out, cut before a stop string. */
  text: string
  /** The model's own log-probability of each token (temperature 1, before top-k and top-p), nats; none where the sampler cannot tell. */
  logProbabilities: number[]
  /** end: a stop token; length: maxTokens or the model's context; stop-string: one of stopStrings. */
  finishReason: 'end' | 'length' | 'stop-string'
}

/**
 * What a sampler can do beyond text in, text and stop reason out.
 * token-prompts: prompts as token ids; conversations: prompts as messages; tokens and log-probabilities: completions have
 * them; seeds: samples depend on the seed as said above; top-k and stop-tokens: the settings of these names;
 * stop-reasons: tells a stop string from the model's own end; context: knows where the context ends;
 * continuations: log-probabilities of given texts.
 */
export const capabilities = [
  'token-prompts',
  'conversations',
  'tokens',
  'log-probabilities',
  'seeds',
  'top-k',
  'stop-tokens',
  'stop-reasons',
  'context',
  'continuations',
] as const

export type Capability = (typeof capabilities)[number]

/** Writes text with one model. */
export interface Sampler {
  readonly capabilities: ReadonlySet<Capability>
  /** Hosts that it talks to, as 'name:port'. None when the model is in this process. */
  readonly hosts: readonly string[]
  /**
   * Yields every sample of every request once, those already written left out.
   * A prompt longer than the context is a UserError that names the request; so is what the sampler is not capable of.
   */
  sample(requests: SampleRequest[], settings: SamplingSettings, signal: AbortSignal): AsyncIterable<Completion>
  estimate(requests: SampleRequest[], settings: SamplingSettings): Promise<Estimate>
  close(): Promise<void>
}

export interface SamplerOptions {
  threads: number
  /** At most this many sequences are written at once. */
  sequences: number
}

/** Opens a sampler on a model. */
export type OpenSampler = (model: ModelReference, options: SamplerOptions) => Promise<Sampler>

/** Every sampler refuses two requests of one id: their samples could not be told apart. */
export function refuseRepeatedIds(requests: SampleRequest[]): void {
  const seen = new Set<string>()
  for (const { id } of requests) {
    if (seen.has(id)) throw new UserError(`request ${id}: the id stands twice among the requests. Give each its own.`)
    seen.add(id)
  }
}

/** The numbers of a request's samples that are still to be written. */
export function missingSamples({ samples, written = [] }: SampleRequest): number[] {
  const there = new Set(written)
  return Array.from({ length: samples }, (_, sample) => sample).filter((sample) => !there.has(sample))
}

/** Whether a prompt is token ids, not a conversation. */
export function isTokens(prompt: number[] | ChatMessage[]): prompt is number[] {
  return typeof prompt[0] !== 'object'
}

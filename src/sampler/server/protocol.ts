// OpenAI's protocol: a call written as a request body, an answer read into completions, both interfaces.
import { createHash } from 'node:crypto'
import { z } from 'zod'
import type { Capability, ChatMessage, Completion, SamplingSettings } from '../sampler.ts'
import type { Dialect } from './dialects.ts'
import { CallFailure } from './failure.ts'

export type Interface = 'completions' | 'chat'

/** One HTTP call: consecutive samples of one request. */
export interface Call {
  id: string
  prompt: string | number[] | ChatMessage[]
  /** The first sample's number, and how many. */
  first: number
  count: number
}

export interface Protocol {
  api: Interface
  dialect: Dialect
  /** What the endpoints can do, with `api`. */
  capabilities: ReadonlySet<Capability>
  /** The name under which the model is served. */
  model: string
}

export const paths: Record<Interface, string> = { completions: 'completions', chat: 'chat/completions' }

/** The body of a call that draws samples. */
export function writeBody(call: Call, settings: SamplingSettings, protocol: Protocol): Record<string, unknown> {
  const { api, dialect, capabilities, model } = protocol
  const chat = api === 'chat'
  const { prompt } = call
  return {
    ...dialect.fields,
    model,
    ...(chat ? { messages: typeof prompt === 'string' ? [{ role: 'user', content: prompt }] : prompt } : { prompt }),
    [chat ? dialect.chatLimit : 'max_tokens']: settings.maxTokens,
    temperature: settings.temperature,
    top_p: settings.topP,
    ...(call.count > 1 && { n: call.count }),
    // Servers that draw n samples from one seed give sample i the seed + i.
    ...(settings.temperature > 0 && { seed: seedOf(settings.seed, call.id) + call.first }),
    ...(settings.stopStrings.length > 0 && { stop: settings.stopStrings }),
    ...(settings.topK > 0 && { top_k: settings.topK }),
    ...(settings.stopTokens.length > 0 && { stop_token_ids: settings.stopTokens }),
    ...(capabilities.has('log-probabilities') && (chat ? { logprobs: true, top_logprobs: 0 } : { logprobs: 0 })),
  }
}

/** The body of a call that weighs a text: every token of it gets its log-probability, and one more is drawn and dropped. */
export function writeWeighing(text: string, { model }: Protocol): Record<string, unknown> {
  return { model, prompt: text, max_tokens: 1, temperature: 0, echo: true, logprobs: 0 }
}

/** A seed for the first sample of a request: below 2^30, so that every server takes it and the samples' after it. */
function seedOf(seed: number, id: string): number {
  return (
    createHash('sha256')
      .update(JSON.stringify([seed, id]))
      .digest()
      .readUInt32BE() >>> 2
  )
}

const choiceSchema = z.looseObject({
  index: z.int().min(0).default(0),
  finish_reason: z.string(),
  stop_reason: z.union([z.string(), z.number()]).nullish(),
  text: z.string().optional(),
  message: z.looseObject({ content: z.string().nullish() }).optional(),
  token_ids: z.array(z.int()).nullish(),
  logprobs: z
    .looseObject({
      token_logprobs: z.array(z.number().nullable()).nullish(),
      content: z.array(z.looseObject({ logprob: z.number() })).nullish(),
    })
    .nullish(),
})

const answerSchema = z.looseObject({
  choices: z.array(choiceSchema),
  usage: z.looseObject({ prompt_tokens: z.int(), completion_tokens: z.int().default(0) }).nullish(),
})

/** What an answer holds: the call's completions, and the tokens that it was charged. */
export interface Answer {
  completions: Completion[]
  usage: Usage
}

export interface Usage {
  promptTokens: number
  newTokens: number
}

/** @throws CallFailure for an answer that is not whole: each sample asked for, with text and stop reason. */
export function readAnswer(value: unknown, call: Call, settings: SamplingSettings, protocol: Protocol): Answer {
  const { choices, usage } = parse(answerSchema, value)
  const byIndex = new Map(choices.map((choice) => [choice.index, choice]))
  if (choices.length === 0) throw new CallFailure('the answer is empty: it has no choices', 'broken')
  if (choices.length !== call.count || byIndex.size !== call.count) {
    throw new CallFailure(`the answer has ${choices.length} choices, ${call.count} were asked for`, 'broken')
  }
  const completions = Array.from({ length: call.count }, (_, i): Completion => {
    const choice = byIndex.get(i)
    const written = protocol.api === 'chat' ? choice?.message && (choice.message.content ?? '') : choice?.text
    if (choice === undefined || written === undefined) {
      throw new CallFailure(`the answer has no text for choice ${i}`, 'broken')
    }
    const tokens = protocol.capabilities.has('tokens') ? expectList(choice.token_ids, 'token_ids') : []
    const logProbabilities = protocol.capabilities.has('log-probabilities')
      ? expectList(
          choice.logprobs?.token_logprobs ?? choice.logprobs?.content?.map(({ logprob }) => logprob),
          'logprobs',
        )
      : []
    if (tokens.length > 0 && logProbabilities.length !== tokens.length) {
      throw new CallFailure(
        `${tokens.length} token_ids but ${logProbabilities.length} logprobs in the answer`,
        'broken',
      )
    }
    return {
      id: call.id,
      sample: call.first + i,
      tokens,
      logProbabilities,
      ...endOf(written, choice, settings.stopStrings),
    }
  })
  return { completions, usage: { promptTokens: usage?.prompt_tokens ?? 0, newTokens: usage?.completion_tokens ?? 0 } }
}

/** The log-probabilities of all tokens of a weighed text but the first, which nothing comes before. */
export function readWeighing(value: unknown): number[] {
  const { choices, usage } = parse(answerSchema, value)
  const all = choices[0]?.logprobs?.token_logprobs
  if (!all || !usage || all.length < usage.prompt_tokens) {
    throw new CallFailure("no log-probabilities of the prompt's tokens in the answer", 'broken')
  }
  return expectList(all.slice(1, usage.prompt_tokens), 'logprobs')
}

function parse<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const read = schema.safeParse(value)
  if (read.success) return read.data
  const issue = read.error.issues[0]!
  throw new CallFailure(
    `the answer is not as the protocol has it (${issue.path.join('.')}: ${issue.message})`,
    'broken',
  )
}

function expectList(list: readonly (number | null)[] | null | undefined, name: string): number[] {
  if (!list || list.includes(null)) {
    throw new CallFailure(
      `the answer has no ${name}, which this kind of server gives. Is it another dialect?`,
      'broken',
    )
  }
  return list as number[]
}

/** Text and reason of a completion. What a server wrote beyond a stop string is cut here. */
function endOf(
  written: string,
  { finish_reason, stop_reason }: z.output<typeof choiceSchema>,
  stopStrings: readonly string[],
): Pick<Completion, 'text' | 'finishReason'> {
  const places = stopStrings.map((stop) => written.indexOf(stop)).filter((place) => place >= 0)
  if (places.length > 0) return { text: written.slice(0, Math.min(...places)), finishReason: 'stop-string' }
  if (finish_reason === 'length') return { text: written, finishReason: 'length' }
  return { text: written, finishReason: typeof stop_reason === 'string' ? 'stop-string' : 'end' }
}

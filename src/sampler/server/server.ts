// The server sampler: completions by OpenAI's protocol, from one or many endpoints that serve the same model.
import { type Clock, realClock } from '../../base/clock.ts'
import { UserError } from '../../base/errors.ts'
import {
  type Capability,
  type Completion,
  isTokens,
  missingSamples,
  refuseRepeatedIds,
  type SampleRequest,
  type Sampler,
  type SamplingSettings,
} from '../sampler.ts'
import { Connection } from './connection.ts'
import { type DialectName, dialects } from './dialects.ts'
import { Endpoint, type EndpointLimits } from './endpoint.ts'
import { CallRefused } from './failure.ts'
import { type Fleet, type Job, spread } from './fleet.ts'
import {
  type Call,
  type Interface,
  type Protocol,
  paths,
  readAnswer,
  readWeighing,
  type Usage,
  writeBody,
  writeWeighing,
} from './protocol.ts'

export interface EndpointSettings extends EndpointLimits {
  /** Up to and including the version: http://127.0.0.1:8000/v1. */
  url: string
  /** The environment variable that holds the key, where there must be one. */
  keyVariable?: string
}

export interface ServerSettings {
  endpoints: readonly EndpointSettings[]
  /** The name under which they serve the model. */
  model: string
  api: Interface
  dialect: DialectName
  /** Samples of a request that are asked for in one call, where the server can. */
  samplesPerCall: number
  timeoutSeconds: number
  /** How often a call is made before it counts as failed. */
  attempts: number
}

export interface ServerSampler extends Sampler {
  /** Tokens that the endpoints said they read and wrote, so far. */
  readonly usage: Readonly<Usage>
}

/** A stream's typical speed, for estimates. */
export const typicalTokensPerSecond = 30
/** Bytes of a call in memory, a token: its text and numbers. */
const TOKEN_BYTES = 64

/**
 * Opens a sampler on endpoints; nothing is asked yet.
 * @throws UserError for an address or a key that cannot be used.
 */
export function openServerSampler(
  settings: ServerSettings,
  environment: Record<string, string | undefined> = process.env,
  clock: Clock = realClock,
): ServerSampler {
  const dialect = dialects[settings.dialect]
  const chat: Capability[] = settings.api === 'chat' ? ['conversations'] : []
  // Prompts as token ids and given continuations are the completions interface's alone.
  const own = dialect.capabilities.filter(
    (one) => settings.api === 'completions' || (one !== 'token-prompts' && one !== 'continuations'),
  )
  const capabilities = new Set<Capability>([...own, ...chat])
  const protocol: Protocol = { api: settings.api, dialect, capabilities, model: settings.model }
  const { timeoutSeconds } = settings
  const connections = settings.endpoints.map((endpoint) => new Connection({ ...endpoint, timeoutSeconds }, environment))
  const endpoints = settings.endpoints.map((limits, i) => new Endpoint(connections[i]!, limits, limits.url))
  const places = settings.endpoints.reduce((total, { concurrency }) => total + concurrency, 0)
  const fleet: Fleet<Connection> = { endpoints, places, attempts: settings.attempts, waiters: new Set(), clock }
  const usage: Usage = { promptTokens: 0, newTokens: 0 }

  async function* run(jobs: Iterable<Job<Connection, Completion[]>>, signal: AbortSignal) {
    for await (const completions of spread(jobs, fleet, signal)) {
      yield* completions
    }
  }

  return {
    capabilities,
    hosts: [...new Set(connections.map(({ host }) => host))],
    usage,
    async *sample(requests, sampling, signal) {
      signal.throwIfAborted()
      refuseRepeatedIds(requests)
      for (const request of requests) check(request, sampling, capabilities)
      const jobs = listJobs(requests, sampling, { protocol, usage, samplesPerCall: settings.samplesPerCall })
      yield* run(jobs, signal)
    },
    /** Tokens are counted as characters: an upper bound for most texts. */
    async estimate(requests, { maxTokens }) {
      const calls = requests.reduce((total, { samples }) => total + samples, 0)
      return {
        bytes: Math.min(calls, places) * maxTokens * TOKEN_BYTES + 2 ** 20,
        seconds: (calls * maxTokens) / typicalTokensPerSecond / places,
        diskBytes: 0,
      }
    },
    async close() {
      await Promise.all(connections.map((connection) => connection.close()))
    },
  }
}

function check(
  { id, prompt, continuations }: SampleRequest,
  settings: SamplingSettings,
  can: ReadonlySet<Capability>,
): void {
  const need = (capability: Capability, what: string, remedy: string) => {
    if (can.has(capability)) return
    throw new UserError(`request ${id}: the endpoints, as they are described, take no ${what}. ${remedy}`)
  }
  const dialect = 'If they are vLLM, say so (dialect: vllm)'
  if (typeof prompt !== 'string') {
    if (isTokens(prompt)) need('token-prompts', 'token ids', `${dialect}, with api: completions.`)
    else need('conversations', 'conversations', 'Use api: chat.')
  }
  if (settings.topK > 0) need('top-k', 'topK', `${dialect}, or set topK to 0.`)
  if (settings.stopTokens.length > 0) need('stop-tokens', 'stop tokens', `${dialect}.`)
  if (continuations !== undefined) {
    need('continuations', 'texts to weigh', `${dialect}, with api: completions.`)
    if (typeof prompt !== 'string') throw new UserError(`request ${id}: texts are weighed after a prompt of text only.`)
  }
}

interface JobOptions {
  protocol: Protocol
  usage: Usage
  samplesPerCall: number
}

/** The calls of all requests, made up one by one as they are needed. */
function* listJobs(
  requests: readonly SampleRequest[],
  settings: SamplingSettings,
  options: JobOptions,
): Generator<Job<Connection, Completion[]>> {
  for (const request of requests) {
    const missing = missingSamples(request)
    // vLLM refuses several samples of a greedy call, which would be the same anyway.
    const perCall = settings.temperature > 0 ? options.samplesPerCall : 1
    if (request.continuations !== undefined) {
      if (missing.length > 0) yield weighingJob(request, missing, options)
      continue
    }
    for (let at = 0; at < missing.length; ) {
      let end = at + 1
      while (end < missing.length && end - at < perCall && missing[end] === missing[end - 1]! + 1) end++
      yield samplingJob(
        { id: request.id, prompt: request.prompt, first: missing[at]!, count: end - at },
        settings,
        options,
      )
      at = end
    }
  }
}

function samplingJob(
  call: Call,
  settings: SamplingSettings,
  { protocol, usage }: JobOptions,
): Job<Connection, Completion[]> {
  return {
    name: `request ${call.id}`,
    async send(connection, signal) {
      const value = await post(call.id, connection, paths[protocol.api], writeBody(call, settings, protocol), signal)
      const answer = readAnswer(value, call, settings, protocol)
      usage.promptTokens += answer.usage.promptTokens
      usage.newTokens += answer.usage.newTokens
      return answer.completions
    },
  }
}

/** What follows the prompt weighs what the whole weighs more than the prompt alone. */
function weighingJob(
  { id, prompt, continuations = [] }: SampleRequest,
  samples: readonly number[],
  { protocol }: JobOptions,
): Job<Connection, Completion[]> {
  return {
    name: `request ${id}`,
    async send(connection, signal) {
      const weigh = async (text: string) =>
        readWeighing(await post(id, connection, paths.completions, writeWeighing(text, protocol), signal))
      const before = (await weigh(prompt as string)).length
      const completions: Completion[] = []
      for (const sample of samples) {
        const text = continuations[sample] ?? ''
        const logProbabilities = (await weigh(`${prompt}${text}`)).slice(before)
        completions.push({ id, sample, tokens: [], text, logProbabilities, finishReason: 'end' })
      }
      return completions
    },
  }
}

/** Posts, and says of a refusal whose request it was. */
async function post(
  id: string,
  connection: Connection,
  path: string,
  body: unknown,
  signal: AbortSignal,
): Promise<unknown> {
  try {
    return await connection.post(path, body, signal)
  } catch (error) {
    if (!(error instanceof CallRefused)) throw error
    // vLLM says the last of a prompt that fills the context to its end.
    const tooLong = /context|too long|too many tokens|max_tokens must be at least 1, got 0/i.test(error.message)
    const what = tooLong ? "the prompt does not fit into the model's context" : 'the endpoint refused it'
    throw new UserError(`request ${id}: ${what} (${connection.host}: ${error.message}).`)
  }
}

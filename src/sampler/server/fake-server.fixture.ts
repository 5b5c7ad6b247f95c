// A server without a model, on loopback: speaks the protocol as vLLM does, or misbehaves as it is told.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Random } from '../../base/random.ts'

/** What happens to a call in place of an answer, or before it. */
export type Fault =
  | { kind: 'status'; status: number; headers?: Record<string, string>; body?: string }
  | { kind: 'text'; body: string }
  | { kind: 'cut' }
  | { kind: 'reset' }
  | { kind: 'slow'; milliseconds: number }

export interface FakeServerOptions {
  /** A free one when left out. */
  port?: number
  /** How long a call takes: always the same, or its own time each. */
  latencyMilliseconds?: number | (() => number)
  /** Whether it remembers what it was asked: yes when left out. */
  keepBodies?: boolean
  /** The most characters of a prompt. */
  contextTokens?: number
  /** Names that it answers to besides its adapters'; to any when left out. */
  models?: readonly string[]
  /**
   * What it writes to a prompt, as the model or adapter that is asked: the seed is the sample's own, 0 in a greedy call. Ten
   * letters of its own when left out.
   */
  write?(prompt: string, seed: number, model: string): string
  /** Asked before each call is answered; the calls are numbered from 0. */
  fault?(call: number, request: IncomingMessage): Fault | undefined
}

interface CallBody {
  model: string
  prompt?: string | number[]
  messages?: { role: string; content: string }[]
  max_tokens?: number
  max_completion_tokens?: number
  temperature: number
  n?: number
  seed?: number
  stop?: string[]
  stop_token_ids?: number[]
  logprobs?: number | boolean
  return_token_ids?: boolean
  echo?: boolean
}

const END = 3
const LOG_PROBABILITY = Math.log(1 / 2)

/** One token is one character: its code point. A text is ten letters and the end token. */
export class FakeServer {
  readonly bodies: CallBody[] = []
  readonly authorizations: (string | undefined)[] = []
  calls = 0
  inFlight = 0
  mostInFlight = 0
  /** Milliseconds of all calls together that it spent on them. */
  busyMilliseconds = 0
  /** Adapters by name, with their folders. */
  readonly adapters = new Map<string, string>()
  private readonly server: Server
  private readonly options: FakeServerOptions

  private constructor(options: FakeServerOptions) {
    this.options = options
    this.server = createServer((request, response) => this.answer(request, response).catch(() => response.destroy()))
    this.server.keepAliveTimeout = 60_000
  }

  static async start(options: FakeServerOptions = {}): Promise<FakeServer> {
    const fake = new FakeServer(options)
    await new Promise<void>((resolve) => fake.server.listen(options.port ?? 0, '127.0.0.1', resolve))
    return fake
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/v1`
  }

  async close(): Promise<void> {
    this.server.closeAllConnections()
    await new Promise((resolve) => this.server.close(resolve))
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.url === '/health') {
      response.end()
      return
    }
    if (request.url?.endsWith('/load_lora_adapter')) {
      this.loadAdapter(JSON.parse(await readBody(request)), response)
      return
    }
    const began = performance.now()
    this.mostInFlight = Math.max(this.mostInFlight, ++this.inFlight)
    try {
      const body = JSON.parse(await readBody(request)) as CallBody
      if (this.options.keepBodies !== false) {
        this.bodies.push(body)
        this.authorizations.push(request.headers.authorization)
      }
      const call = this.calls++
      const fault = this.options.fault?.(call, request)
      const { latencyMilliseconds: latency = 0 } = this.options
      const wait =
        (typeof latency === 'number' ? latency : latency()) + (fault?.kind === 'slow' ? fault.milliseconds : 0)
      if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait))
      if (fault === undefined || fault.kind === 'slow')
        this.complete(body, request.url?.includes('chat') ?? false, response)
      else misbehave(fault, response)
    } finally {
      this.inFlight--
      this.busyMilliseconds += performance.now() - began
    }
  }

  /** As vLLM answers: plain text where it went well, an error where the name is taken. */
  private loadAdapter({ lora_name: name, lora_path: path }: Record<string, string>, response: ServerResponse): void {
    if (name === undefined || path === undefined) send(response, 400, { error: { message: 'name and path, please' } })
    else if (this.adapters.has(name)) {
      const message = `The lora adapter '${name}' has already been loaded. If you want to load the adapter in place, set 'load_inplace' to True.`
      send(response, 400, { error: { message, type: 'InvalidUserInput', param: null, code: 400 } })
    } else {
      this.adapters.set(name, path)
      response.writeHead(200).end(`Success: LoRA adapter '${name}' added successfully.`)
    }
  }

  /** In the words of vLLM 0.32. */
  private refuse({ n = 1, temperature, max_tokens }: CallBody, length: number): string | undefined {
    const { contextTokens: limit = 4096 } = this.options
    if (length > limit) {
      return `This model's maximum context length is ${limit} tokens. However, you requested ${max_tokens} output tokens and your prompt contains ${length} input tokens.`
    }
    if (length === limit) return 'max_tokens must be at least 1, got 0. (parameter=max_tokens, value=0)'
    return n > 1 && temperature === 0 ? `n must be 1 when using greedy sampling, got ${n}.` : undefined
  }

  private complete(body: CallBody, chat: boolean, response: ServerResponse): void {
    const { models } = this.options
    if (models !== undefined && !models.includes(body.model) && !this.adapters.has(body.model)) {
      const message = `The model \`${body.model}\` does not exist.`
      send(response, 404, { error: { message, type: 'NotFoundError', param: 'model', code: 404 } })
      return
    }
    const prompt = promptText(body)
    const refusal = this.refuse(body, [...prompt].length)
    if (refusal !== undefined) {
      send(response, 400, { error: { message: refusal, type: 'BadRequestError', param: null, code: 400 } })
      return
    }
    const choices = Array.from({ length: body.n ?? 1 }, (_, index) => {
      const { text, tokens, finish_reason, stop_reason } = write(body, prompt, index, this.options.write)
      const shown = body.echo ? prompt + text : text
      const weighed = body.echo
        ? [null, ...[...shown].slice(1).map(() => LOG_PROBABILITY)]
        : tokens.map(() => LOG_PROBABILITY)
      const wanted = body.logprobs !== undefined && body.logprobs !== false
      return {
        index,
        finish_reason,
        stop_reason,
        ...(chat ? { message: { role: 'assistant', content: text } } : { text: shown }),
        ...(body.return_token_ids && { token_ids: tokens }),
        ...(wanted && {
          logprobs: chat ? { content: weighed.map((logprob) => ({ logprob })) } : { token_logprobs: weighed },
        }),
      }
    })
    const usage = { prompt_tokens: [...prompt].length, completion_tokens: 11 * choices.length }
    send(response, 200, { object: 'text_completion', model: body.model, choices, usage })
  }
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}

function promptText({ prompt, messages = [] }: CallBody): string {
  if (typeof prompt === 'string') return prompt
  if (prompt !== undefined) return String.fromCodePoint(...prompt)
  return messages.map(({ role, content }) => `${role}: ${content}\n`).join('')
}

function write(body: CallBody, prompt: string, index: number, author: FakeServerOptions['write']) {
  const seed = body.temperature > 0 ? (body.seed ?? 0) + index : 0
  const wanted = author?.(prompt, seed, body.model)
  const written = wanted === undefined ? undefined : [...wanted].map((character) => character.codePointAt(0)!)
  const random = new Random(seed, prompt)
  const limit = body.max_tokens ?? body.max_completion_tokens ?? 16
  const tokens: number[] = []
  let text = ''
  for (;;) {
    const drawn = tokens.length === 10 ? END : 97 + random.integer(26)
    const token = written === undefined ? drawn : (written[tokens.length] ?? END)
    tokens.push(token)
    if (token === END) return { text, tokens, finish_reason: 'stop', stop_reason: null }
    if (body.stop_token_ids?.includes(token)) return { text, tokens, finish_reason: 'stop', stop_reason: token }
    text += String.fromCodePoint(token)
    const stop = body.stop?.find((string) => text.endsWith(string))
    if (stop !== undefined) {
      return { text: text.slice(0, -stop.length), tokens, finish_reason: 'stop', stop_reason: stop }
    }
    if (tokens.length === limit) return { text, tokens, finish_reason: 'length', stop_reason: null }
  }
}

function send(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value))
}

function misbehave(fault: Exclude<Fault, { kind: 'slow' }>, response: ServerResponse): void {
  if (fault.kind === 'status')
    response.writeHead(fault.status, fault.headers).end(fault.body ?? '{"error": "out of order"}')
  else if (fault.kind === 'text') response.writeHead(200, { 'content-type': 'application/json' }).end(fault.body)
  else if (fault.kind === 'reset') response.destroy()
  else {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' })
    response.write('{"choices": [{"index": 0, "text": "half of it", "finish')
    setTimeout(() => response.destroy(), 5)
  }
}

// A connection to one endpoint: JSON in, JSON out, every way to fail as a CallFailure or CallRefused; the key stays in here.
import { Agent, EnvHttpProxyAgent, request } from 'undici'
import { messageOf, UserError } from '../../base/errors.ts'
import { CallFailure, CallRefused, failureOf } from './failure.ts'

export interface ConnectionSettings {
  /** Up to and including the version: http://127.0.0.1:8000/v1. */
  url: string
  /** The environment variable that holds the key. */
  keyVariable?: string
  /** Calls at the same time. */
  concurrency: number
  /** A call that takes longer has failed. */
  timeoutSeconds: number
}

/** An answer larger than this is no answer. */
const LARGEST_ANSWER_BYTES = 256 * 2 ** 20
const CONNECT_MILLISECONDS = 10_000
/** Of what a server says about an error, this much is shown. */
const SHOWN_CHARACTERS = 300

export class Connection {
  /** 'name:port', for messages and the report. */
  readonly host: string
  private readonly url: URL
  private readonly key: string | undefined
  private readonly keyVariable: string | undefined
  private readonly timeoutMilliseconds: number
  private readonly agent: Agent | EnvHttpProxyAgent

  /** @throws UserError for an address that is none, a key in it, or a key variable that is not set. */
  constructor(settings: ConnectionSettings, environment: Record<string, string | undefined>) {
    this.url = readAddress(settings.url)
    this.host = this.url.host
    this.keyVariable = settings.keyVariable
    this.key = settings.keyVariable === undefined ? undefined : readKey(settings.keyVariable, environment)
    this.timeoutMilliseconds = settings.timeoutSeconds * 1000
    // The time limit is the call's own: a long text may be minutes on its way without a byte.
    const options = {
      connections: settings.concurrency,
      headersTimeout: 0,
      bodyTimeout: 0,
      maxResponseSize: LARGEST_ANSWER_BYTES,
      connect: { timeout: CONNECT_MILLISECONDS },
    }
    const proxied = ['http_proxy', 'HTTP_PROXY', 'https_proxy', 'HTTPS_PROXY'].some((name) => environment[name])
    this.agent = proxied ? new EnvHttpProxyAgent(options) : new Agent(options)
  }

  /** Posts JSON and reads JSON. @param path below the address: 'completions'. */
  async post(path: string, body: unknown, signal: AbortSignal): Promise<unknown> {
    const text = await this.send(path, body, signal)
    try {
      return JSON.parse(text)
    } catch {
      throw new CallFailure('the answer is not JSON, or was cut', 'broken')
    }
  }

  /** Posts JSON; the answer is whatever text it is. */
  async send(path: string, body: unknown, signal: AbortSignal): Promise<string> {
    const deadline = AbortSignal.timeout(this.timeoutMilliseconds)
    let status = 0
    let retryAfter: string | undefined
    let text: string
    try {
      const response = await request(`${this.url.href.replace(/\/+$/, '')}/${path}`, {
        method: 'POST',
        dispatcher: this.agent,
        headers: {
          'content-type': 'application/json',
          accept: 'application/json',
          ...(this.key !== undefined && { authorization: `Bearer ${this.key}` }),
        },
        body: JSON.stringify(body),
        signal: AbortSignal.any([signal, deadline]),
      })
      status = response.statusCode
      retryAfter = [response.headers['retry-after']].flat()[0]
      text = await response.body.text()
    } catch (error) {
      signal.throwIfAborted()
      const seconds = this.timeoutMilliseconds / 1000
      const message = deadline.aborted ? `no answer within ${seconds} seconds` : this.redact(describeError(error))
      throw new CallFailure(message, 'broken')
    }
    if (status >= 300 && status < 400) {
      throw new CallRefused(
        status,
        `status ${status}: it sends elsewhere, and is not followed. Name the address that it sends to`,
      )
    }
    if (status !== 200) throw this.explain(failureOf(status, this.redact(serverMessage(text)), retryAfter, Date.now()))
    return text
  }

  close(): Promise<void> {
    return this.agent.destroy()
  }

  /** What a refusal most often means. */
  private explain(error: Error): Error {
    if (!(error instanceof CallRefused)) return error
    if (error.status === 401 || error.status === 403) {
      const { keyVariable } = this
      const hint =
        keyVariable === undefined ? 'Name the variable that holds the key.' : `Is the key in ${keyVariable} right?`
      return new CallRefused(error.status, `${error.message}. ${hint}`)
    }
    if (error.status === 404) {
      return new CallRefused(error.status, `${error.message}. Is the model's name right, and the address up to /v1?`)
    }
    return error
  }

  private redact(text: string): string {
    return this.key === undefined ? text : text.replaceAll(this.key, '***')
  }
}

function readAddress(text: string): URL {
  let url: URL
  try {
    url = new URL(text)
  } catch {
    throw new UserError(`endpoint ${text}: not an address. Write it like http://127.0.0.1:8000/v1.`)
  }
  if (url.username !== '' || url.password !== '' || url.search !== '') {
    throw new UserError(
      `endpoint at ${url.host}: the address must hold no user, password or query. Put the key into an environment variable and name that.`,
    )
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new UserError(`endpoint ${text}: must begin with http:// or https://.`)
  }
  return url
}

function readKey(variable: string, environment: Record<string, string | undefined>): string {
  const key = environment[variable]?.trim()
  if (!key) throw new UserError(`the environment variable ${variable} is not set. It must hold the endpoint's key.`)
  if (/[^\x21-\x7e]/.test(key))
    throw new UserError(`the key in ${variable} has characters that no key has. Set it anew.`)
  return key
}

/** Servers say what is wrong as {"error": {"message"}}, {"error"}, {"message"} or {"detail"}, or in plain text. */
function serverMessage(text: string): string {
  let said: unknown = text
  try {
    const { error, message, detail } = JSON.parse(text) as Record<string, unknown>
    said = (error as { message?: unknown } | undefined)?.message ?? error ?? message ?? detail ?? text
  } catch {
    // plain text, or a page
  }
  const words = (typeof said === 'string' ? said : JSON.stringify(said)).replace(/\s+/g, ' ').trim()
  return words.length <= SHOWN_CHARACTERS ? words : `${words.slice(0, SHOWN_CHARACTERS)}...`
}

/** The innermost reason: undici wraps those of the socket. */
function describeError(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined
  const code = (error as { code?: unknown } | undefined)?.code
  const text = cause === undefined ? messageOf(error) : messageOf(cause)
  return typeof code === 'string' && !text.includes(code) ? `${text} (${code})` : text
}

// The way to the hub: through the environment's proxy, every host that is asked written down, the token for the hub alone,
// failures as messages.
import { EnvHttpProxyAgent, fetch as fetchThroughProxy, type RequestInit as ProxyRequest } from 'undici'
import { isSystemError, messageOf, UserError } from '../base/errors.ts'
import { describeHubModel, type HubModel, type HubSettings } from './hub.ts'

const mostRedirects = 10

/** A refusal that trying again does not change. */
export class Refused extends UserError {}

export class HubConnection {
  /** Every host that was asked for something. */
  readonly hosts = new Set<string>()
  private readonly model: HubModel
  private readonly settings: HubSettings
  private readonly signal: AbortSignal
  private refusal: UserError | undefined
  /** HTTPS_PROXY, HTTP_PROXY and NO_PROXY; directly where none is set. */
  private readonly proxy = new EnvHttpProxyAgent()

  constructor(model: HubModel, settings: HubSettings, signal: AbortSignal) {
    this.model = model
    this.settings = settings
    this.signal = signal
  }

  /**
   * Takes the place of the hub client's `fetch`. Redirects are followed here, so that each host is seen and the token
   * never reaches another one than the hub's.
   */
  readonly fetch = async (input: string | URL | Request, init: RequestInit = {}): Promise<Response> => {
    let url = new URL(input instanceof Request ? input.url : input)
    for (let redirects = 0; redirects <= mostRedirects; redirects++) {
      this.hosts.add(url.host)
      const headers = new Headers(init.headers)
      const isHub = url.origin === new URL(this.settings.endpoint).origin
      if (isHub && this.settings.token !== undefined) headers.set('Authorization', `Bearer ${this.settings.token}`)
      const request = { ...init, headers, redirect: 'manual', signal: this.signal, dispatcher: this.proxy }
      const response = (await fetchThroughProxy(url, request as unknown as ProxyRequest)) as unknown as Response
      const next = response.headers.get('location')
      if (response.status < 300 || response.status >= 400 || next === null) {
        if (!response.ok) this.refusal = this.describeStatus(url.host, response.status)
        return response
      }
      await response.body?.cancel()
      url = new URL(next, url)
    }
    throw new Refused(`${describeHubModel(this.model)}: more than ${mostRedirects} redirects, the last to ${url.host}.`)
  }

  close(): Promise<void> {
    return this.proxy.destroy()
  }

  /** What went wrong, as a message: a refusal by status, or that the hub cannot be reached. */
  explain(error: unknown): unknown {
    this.signal.throwIfAborted()
    if (error instanceof UserError) return error
    const refusal = this.refusal
    this.refusal = undefined
    if (refusal !== undefined) return refusal
    if (isSystemError(error)) return error // the cache's disk: what the network refuses is the cause of another error
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
    const host = new URL(this.settings.endpoint).host
    const reason = cause instanceof Error && 'code' in cause ? String(cause.code) : messageOf(cause)
    return new UserError(
      `${describeHubModel(this.model)}: the download from ${host} broke off (${this.redact(reason)}). Run it again to go on from there; HF_ENDPOINT names another hub.`,
      { cause: error },
    )
  }

  private describeStatus(host: string, status: number): UserError {
    const model = describeHubModel(this.model)
    const { token } = this.settings
    switch (status) {
      case 401:
        return new Refused(
          token === undefined
            ? `${model}: ${host} has no such model that is open to all (401). Check the name; if it is private or asks for consent, set HF_TOKEN.`
            : `${model}: ${host} does not take the token in HF_TOKEN (401). Set one that is valid.`,
        )
      case 403:
        return new Refused(
          `${model}: ${host} refuses access (403). Accept the model's conditions on its page, and set HF_TOKEN of that account.`,
        )
      case 404:
        return new Refused(
          `${model}: ${host} has no such model, revision or file (404). Check the name; a folder is written with ./ before it.`,
        )
      default:
        return new UserError(`${model}: ${host} answers with status ${status}. Try again later.`)
    }
  }

  private redact(text: string): string {
    return this.settings.token === undefined ? text : text.replaceAll(this.settings.token, '...')
  }
}

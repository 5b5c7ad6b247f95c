// Calls spread over endpoints: each once, to the least busy one, again where it failed, in the order in which they end.
import type { Clock } from '../../base/clock.ts'
import { UserError } from '../../base/errors.ts'
import { Random } from '../../base/random.ts'
import { type Endpoint, pauseSeconds } from './endpoint.ts'
import { CallFailure } from './failure.ts'

export interface Job<Connection, Result> {
  /** For messages: 'request q1'. */
  name: string
  send(connection: Connection, signal: AbortSignal): Promise<Result>
}

interface Waiting<Connection, Result> {
  job: Job<Connection, Result>
  /** How often it has failed. */
  failures: number
  /** Not before, ms. */
  notBefore: number
  /** Where it failed last: another endpoint is better. */
  avoid?: Endpoint<Connection>
}

/** Results that nobody has taken yet, at most, a place: endpoints go on while the reader is busy, in bounded memory. */
const RESULTS_A_PLACE = 4

/** Endpoints that calls are spread over, and who else may be waiting for one of them to be free. */
export interface Fleet<Connection> {
  endpoints: readonly Endpoint<Connection>[]
  /** Calls that all endpoints take at once. */
  places: number
  /** A job that failed so often is a UserError. */
  attempts: number
  /** To be called when an endpoint is freer than before. */
  waiters: Set<() => void>
  clock: Clock
}

/**
 * Carries out jobs over endpoints and yields their results as they come, each once.
 * Throws a UserError for a job that failed too often, and when every endpoint has been paused so often without an
 * answer in between.
 */
export async function* spread<Connection extends { host: string }, Result>(
  jobs: Iterable<Job<Connection, Result>>,
  { endpoints, places, attempts, waiters, clock }: Fleet<Connection>,
  signal: AbortSignal,
): AsyncGenerator<Result, void, undefined> {
  signal.throwIfAborted()
  const source = jobs[Symbol.iterator]()
  const random = new Random(0, 'retries')
  /** Jobs to be done again, the earliest first. */
  const again: Waiting<Connection, Result>[] = []
  let fresh: Waiting<Connection, Result> | undefined
  let exhausted = false
  const running = new Set<Promise<void>>()
  const results: Result[] = []
  let failure: { error: unknown } | undefined
  let wake = () => {}
  let callOff = () => {}
  const stop = new AbortController()
  const ended = AbortSignal.any([signal, stop.signal])
  const onAbort = () => wake()
  waiters.add(fill)
  signal.addEventListener('abort', onAbort)

  try {
    for (;;) {
      fill()
      // What was answered is handed over even when no more is wanted, so that it can be kept.
      while (results.length > 0) {
        yield results.shift() as Result
        fill()
      }
      signal.throwIfAborted()
      if (failure !== undefined) throw failure.error
      if (running.size === 0 && again.length === 0 && fresh === undefined && exhausted) return
      await new Promise<void>((resolve) => {
        wake = resolve
        if (results.length > 0 || failure !== undefined || signal.aborted) resolve()
      })
    }
  } finally {
    waiters.delete(fill)
    signal.removeEventListener('abort', onAbort)
    callOff()
    stop.abort(new Error('left early'))
    await Promise.allSettled(running)
  }

  /** Starts what can be started now, and sees to it that it is called when more can be. */
  function fill(): void {
    callOff()
    if (failure !== undefined || ended.aborted) return
    while (results.length < places * RESULTS_A_PLACE) {
      const now = clock.now()
      const next = peek(now)
      if (next === undefined) break
      const endpoint = choose(next, now)
      if (endpoint === undefined) break
      take(next)
      start(next, endpoint, now)
    }
    const opening = Math.min(...endpoints.map(({ opensAt }) => opensAt))
    const due = fresh === undefined ? (again[0]?.notBefore ?? Number.POSITIVE_INFINITY) : 0
    const at = Math.max(opening, due)
    if (Number.isFinite(at) && results.length < places * RESULTS_A_PLACE)
      callOff = clock.after(Math.max(1, at - clock.now()), fill)
  }

  function peek(now: number): Waiting<Connection, Result> | undefined {
    if (again[0] !== undefined && again[0].notBefore <= now) return again[0]
    if (fresh === undefined && !exhausted) {
      const { value, done } = source.next()
      if (done) exhausted = true
      else fresh = { job: value, failures: 0, notBefore: 0 }
    }
    return fresh
  }

  function take(waiting: Waiting<Connection, Result>): void {
    if (waiting === fresh) fresh = undefined
    else again.shift()
  }

  /** The open endpoint with the most room. */
  function choose({ avoid }: Waiting<Connection, Result>, now: number): Endpoint<Connection> | undefined {
    const open = endpoints.filter(({ opensAt }) => opensAt <= now)
    const others = open.filter((endpoint) => endpoint !== avoid)
    const [first, ...rest] = others.length > 0 ? others : open
    return rest.reduce((best, one) => (one.load < best!.load ? one : best), first)
  }

  function start(waiting: Waiting<Connection, Result>, endpoint: Endpoint<Connection>, now: number): void {
    endpoint.begin(now)
    const promise = waiting.job
      .send(endpoint.connection, ended)
      .then(
        (result) => {
          endpoint.succeed()
          results.push(result)
        },
        (error: unknown) => {
          if (ended.aborted) endpoint.cancel()
          else if (error instanceof CallFailure) retry(waiting, endpoint, error)
          else {
            endpoint.succeed()
            failure ??= { error }
          }
        },
      )
      .then(() => {
        running.delete(promise)
        for (const waiter of waiters) waiter()
        wake()
      })
    running.add(promise)
  }

  function retry(waiting: Waiting<Connection, Result>, endpoint: Endpoint<Connection>, error: CallFailure): void {
    const now = clock.now()
    endpoint.fail(error, now)
    const failures = waiting.failures + 1
    const tired = endpoints.every(({ pauses }) => pauses >= attempts)
    if (failures >= attempts || tired) {
      const times = tired
        ? `no endpoint answers, asked ${attempts} times and more`
        : `no answer after ${failures} attempts`
      const last = `the last one, to ${endpoint.connection.host}: ${error.message}`
      const message = `${waiting.job.name}: ${times}; ${last}. Look after the endpoint, then run again: what was answered is kept.`
      failure ??= { error: new UserError(message) }
      return
    }
    const seconds = error.blame === 'busy' ? 0 : pauseSeconds(failures, random)
    const notBefore = now + seconds * 1000
    const place = again.findIndex((other) => other.notBefore > notBefore)
    again.splice(place < 0 ? again.length : place, 0, { ...waiting, failures, notBefore, avoid: endpoint })
  }
}

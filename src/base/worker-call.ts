// Calls into a worker thread: a worker file serves methods that stream events, the caller iterates over them.
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import { parentPort, Worker } from 'node:worker_threads'
import { internal, isSystemError, messageOf, UserError } from './errors.ts'

/** A served method: structured-cloneable arguments in, a stream of structured-cloneable events out. */
// biome-ignore lint/suspicious/noExplicitAny: each method knows its own arguments; the caller names them in stream().
export type Method = (args: any, signal: AbortSignal) => AsyncIterable<unknown>

type ToWorker = { call: number; method: string; args: unknown } | { call: number; abort: SentError }
type FromWorker =
  | { call: number; event: unknown }
  | { call: number; end: true }
  | { call: number; error: SentError; aborted: boolean }

interface SentError {
  name: string
  message: string
  stack?: string
  status?: 1 | 2
  /** Of what the operating system refused. */
  code?: string
  syscall?: string
}

/** Registers the methods of a worker file; called once, at its top level. */
export function serve(methods: Record<string, Method>): void {
  const port = parentPort ?? internal('serve() outside a worker thread')
  const calls = new Map<number, AbortController>()
  const send = (message: FromWorker) => port.postMessage(message)
  port.on('message', async (message: ToWorker) => {
    const { call } = message
    if ('abort' in message) {
      calls.get(call)?.abort(receiveError(message.abort))
      return
    }
    const controller = new AbortController()
    calls.set(call, controller)
    try {
      const method = methods[message.method] ?? internal(`no method ${message.method} in this worker`)
      for await (const event of method(message.args, controller.signal)) send({ call, event })
      send({ call, end: true })
    } catch (error) {
      const aborted = controller.signal.aborted && error === controller.signal.reason
      send({ call, error: sendError(error), aborted })
    } finally {
      calls.delete(call)
    }
  })
}

/** The worker file of this name beside a module (its import.meta.url): TypeScript where it runs as such, else what was built of it. */
export function workerBeside(module: string, name: string): URL {
  return new URL(`./${name}${module.endsWith('.ts') ? '.ts' : '.js'}`, module)
}

/** A running worker thread. An idle one does not keep the process alive. */
export interface RemoteWorker {
  /**
   * Calls a method and yields its events in order; errors keep their type (UserError with its status).
   * Aborting the signal aborts the method's own signal; what the method still yields arrives, and where it then
   * throws its signal's reason, this throws the caller's. Leaving the loop early aborts the method and waits for its end.
   */
  stream<Event>(method: string, args: unknown, signal?: AbortSignal): AsyncGenerator<Event, void, undefined>
  /** Calls a method for the one thing that it yields. */
  call<Result>(method: string, args: unknown, signal?: AbortSignal): Promise<Result>
  /** Ends the thread at once; calls under way fail. */
  close(): Promise<void>
}

/** Starts a worker file: the .ts source in a checkout (through tsx), the .js file in the built package. */
export function startWorker(file: URL): RemoteWorker {
  const worker = file.pathname.endsWith('.ts')
    ? new Worker(sourceStarter(file), { eval: true, execArgv: [] })
    : new Worker(file)
  const calls = new Map<number, (message: FromWorker) => void>()
  let nextCall = 0
  let failure: Error | undefined
  const fail = (error: Error) => {
    failure ??= error
    for (const [call, receive] of calls) receive({ call, error: sendError(failure), aborted: false })
  }
  worker.on('message', (message: FromWorker) => calls.get(message.call)?.(message))
  worker.on('error', fail)
  worker.on('exit', (code) => fail(new Error(`the worker thread ended (code ${code})`)))
  worker.unref()

  async function* stream<Event>(method: string, args: unknown, signal?: AbortSignal) {
    signal?.throwIfAborted()
    if (failure !== undefined) throw failure
    const call = nextCall++
    const queue: FromWorker[] = []
    let wake = () => {}
    calls.set(call, (message) => {
      queue.push(message)
      wake()
    })
    const abort = (reason: unknown) => worker.postMessage({ call, abort: sendError(reason) } satisfies ToWorker)
    const forwardAbort = () => abort(signal?.reason)
    const nextMessage = async (): Promise<FromWorker> => {
      while (queue.length === 0) await new Promise<void>((resolve) => (wake = resolve))
      return queue.shift() as FromWorker
    }
    let ended = false
    try {
      worker.ref()
      signal?.addEventListener('abort', forwardAbort, { once: true })
      worker.postMessage({ call, method, args } satisfies ToWorker)
      for (;;) {
        const message = await nextMessage()
        if ('event' in message) {
          yield message.event as Event
          continue
        }
        ended = true
        if ('end' in message) return
        throw message.aborted && signal?.aborted ? signal.reason : receiveError(message.error)
      }
    } finally {
      signal?.removeEventListener('abort', forwardAbort)
      if (!ended) {
        abort(new Error('the caller left'))
        while ('event' in (await nextMessage()));
      }
      calls.delete(call)
      if (calls.size === 0) worker.unref()
    }
  }

  return {
    stream,
    async call<Result>(method: string, args: unknown, signal?: AbortSignal) {
      const results: Result[] = []
      for await (const result of stream<Result>(method, args, signal)) results.push(result)
      return results[0] ?? internal(`${method} gave no result`)
    },
    async close() {
      fail(new Error('the worker was closed'))
      await worker.terminate()
    },
  }
}

/** A script that starts a .ts file: in Node 20 a worker's `--import` comes too late for its own first file. */
function sourceStarter(file: URL): string {
  const loader = pathToFileURL(createRequire(import.meta.url).resolve('tsx'))
  const tsx = new URL('./esm/api/index.mjs', loader).href
  return `import(${JSON.stringify(tsx)}).then(({ register }) => { register(); return import(${JSON.stringify(file.href)}) })`
}

function sendError(error: unknown): SentError {
  if (!(error instanceof Error)) return { name: 'Error', message: messageOf(error) }
  const sent: SentError = { name: error.name, message: error.message, stack: error.stack }
  if (error instanceof UserError) sent.status = error.status
  if (isSystemError(error)) Object.assign(sent, { code: error.code, syscall: error.syscall })
  return sent
}

function receiveError({ message, stack, status, ...others }: SentError): Error {
  const error = status === undefined ? Object.assign(new Error(message), others) : new UserError(message, { status })
  if (stack !== undefined) error.stack = stack
  return error
}

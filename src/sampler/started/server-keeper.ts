// The server of a run: started when a stage needs it, kept while stages need the same one, ended before anybody else needs its GPUs.
import { randomBytes } from 'node:crypto'
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { pause } from '../../base/clock.ts'
import { internal, UserError } from '../../base/errors.ts'
import { hashJson, writeFileAtomic } from '../../base/files.ts'
import type { ServerEvent } from '../../base/progress.ts'
import type { Launcher } from '../../engine/cluster/launcher.ts'
import { reachServer, type ServerAddress } from './server-address.ts'
import { endServer } from './server-end.ts'
import { explainServer, lastLine, ServerFailure } from './server-failure.ts'
import { readServerRecord, type ServerRecord, startFolder, writeServerRecord } from './server-record.ts'
import { serverFiles, writeServerScript } from './server-script.ts'
import type { Served, StartSettings } from './start-settings.ts'
import { realSurroundings, type ServerSurroundings } from './surroundings.ts'

/** A server that answers. */
export interface RunningServer extends ServerAddress {
  /** Aborted when it is gone, however. */
  gone: AbortSignal
  /** Whether it is, looked at just now. */
  isGone(): Promise<boolean>
  /** Why it went. */
  explain(): Promise<ServerFailure>
}

/**
 * Keeps at most one server for a run. One that an earlier process of the same run left is used again where it serves the
 * same, and ended where not.
 */
export class ServerKeeper {
  private readonly folder: string
  private readonly settings: StartSettings
  private readonly signal: AbortSignal
  private readonly tell: (event: ServerEvent) => void
  private readonly surroundings: ServerSurroundings
  private readonly launcher: Launcher
  private current: { key: string; serves: string; server: RunningServer; forget(): void } | undefined
  /** What was asked for is done one by one. */
  private last: Promise<unknown> = Promise.resolve()

  /**
   * @param folder below the run's, for the server's script, log and record.
   * @param signal ends the wait for a server that starts.
   * @param tell is told what the server does.
   */
  constructor(
    folder: string,
    settings: StartSettings,
    signal: AbortSignal,
    tell: (event: ServerEvent) => void = () => {},
    surroundings: ServerSurroundings = realSurroundings,
  ) {
    this.folder = folder
    this.settings = settings
    this.signal = signal
    this.tell = tell
    this.surroundings = surroundings
    this.launcher = surroundings.launchers[settings.place]
  }

  /**
   * A server of the model that answers: the one that is there, or a new one.
   * @throws UserError with the cause and the log's place where it does not come up; the signal's reason.
   */
  use(served: Served): Promise<RunningServer> {
    return this.inTurn(async () => {
      this.signal.throwIfAborted()
      const key = hashJson({ served, settings: { ...this.settings, retries: 0, startSeconds: 0 } })
      if (this.current?.key === key && !this.current.server.gone.aborted) return this.current.server
      await this.judgeLoss()
      for (let failures = 1; ; failures++) {
        const record = (await this.findRunning(key)) ?? (await this.start(served, key))
        try {
          const server = await this.waitUntilHealthy(record, served)
          this.current = this.watch(record, key, server)
          return this.current.server
        } catch (error) {
          await this.end()
          if (!(error instanceof ServerFailure) || !error.retry || failures > this.settings.retries) throw error
          this.tell({ type: 'server-lost', serves: served.name, cause: error.message })
        }
      }
    })
  }

  /** Ends the server, whoever started it; when this returns its GPUs are free. */
  release(): Promise<void> {
    return this.inTurn(() => this.end())
  }

  private inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.last.then(work)
    this.last = result.catch(() => {})
    return result
  }

  private async end(): Promise<void> {
    this.current?.forget()
    this.current = undefined
    await endServer(this.folder, 'done', this.surroundings)
  }

  /** The server that is there, where it serves just what is wanted; another one is ended. */
  private async findRunning(key: string): Promise<ServerRecord | undefined> {
    const found = await readServerRecord(this.folder, this.surroundings)
    if (found?.key === key && found.ended === undefined && found.handle !== undefined) {
      const state = await this.surroundings.launchers[found.place].state(found.handle)
      if (state !== 'gone') return found
    }
    await this.end()
    return undefined
  }

  private async start(served: Served, key: string): Promise<ServerRecord> {
    const { settings, folder } = this
    const starts = ((await readServerRecord(folder, this.surroundings))?.starts ?? 0) + 1
    const place = startFolder(folder, starts)
    await mkdir(place, { recursive: true })
    const name = `meikai-${basename(dirname(folder))}-server`
    const { leaseSeconds } = this.surroundings
    const script = writeServerScript({ name, served, settings, folder: place, leaseSeconds })
    await writeFileAtomic(join(place, serverFiles.script), script)
    await chmod(join(place, serverFiles.script), 0o755)
    if (settings.listen === 'network') {
      await writeFile(join(place, serverFiles.key), randomBytes(24).toString('hex'), { mode: 0o600 })
    }
    await this.renewLease(starts)
    const startedAt = new Date().toISOString()
    const record: ServerRecord = { name, key, serves: served.name, starts, startedAt, place: settings.place }
    await writeServerRecord(folder, record)
    record.handle = await this.launcher.start(place)
    await writeServerRecord(folder, record)
    this.tell({ type: 'server-start', serves: served.name, start: starts, log: join(place, serverFiles.log) })
    return record
  }

  private renewLease(start: number): Promise<void> {
    return writeFile(join(startFolder(this.folder, start), serverFiles.lease), `${Date.now()}\n`)
  }

  /**
   * Tells why the server went by itself, where it did.
   * @throws just that where another would go the same way, or somebody asked for its end.
   */
  private async judgeLoss(): Promise<void> {
    if (this.current?.server.gone.aborted !== true) return
    const failure = await this.current.server.explain()
    if (!failure.retry) throw failure
    this.tell({ type: 'server-lost', serves: this.current.serves, cause: failure.message })
  }

  private async waitUntilHealthy(record: ServerRecord, served: Served): Promise<ServerAddress> {
    const {
      settings,
      surroundings: { clock, look },
    } = this
    const place = startFolder(this.folder, record.starts)
    const handle = record.handle ?? internal('a server that was not started')
    const waitsSince = clock.now()
    const secondsWaited = () => (clock.now() - waitsSince) / 1000
    let began: number | undefined
    for (;;) {
      this.signal.throwIfAborted()
      await this.renewLease(record.starts)
      const state = await this.launcher.state(handle)
      if (state === 'gone') throw await this.explain(record)
      const address = await reachServer(place, settings)
      if (address !== undefined) {
        this.tell({ type: 'server-ready', serves: served.name, seconds: secondsWaited() })
        return address
      }
      const said = await lastLine(join(place, serverFiles.log))
      const seen = { serves: served.name, state, seconds: secondsWaited(), ...(said !== undefined && { said }) }
      this.tell({ type: 'server-wait', ...seen })
      if (state === 'running') began ??= clock.now()
      if (began !== undefined && clock.now() - began > settings.startSeconds * 1000) {
        throw new UserError(
          `the server of ${served.name} did not answer within ${settings.startSeconds} seconds (sampler.start.startSeconds). Log: ${join(place, serverFiles.log)}`,
        )
      }
      await pause(clock, look[settings.place])
    }
  }

  /** Renews the lease and looks at the server from now on. */
  private watch(record: ServerRecord, key: string, server: ServerAddress) {
    const gone = new AbortController()
    const handle = record.handle ?? internal('a server that was not started')
    const { clock, look: lookMilliseconds } = this.surroundings
    const later = () => clock.after(lookMilliseconds[this.settings.place], look)
    const isGone = async () => {
      // A scheduler that does not answer says nothing about the server.
      const state = gone.signal.aborted ? 'gone' : await this.launcher.state(handle).catch(() => 'running')
      if (state === 'gone') gone.abort(new Error('the server is gone'))
      return gone.signal.aborted
    }
    const look = async () => {
      await this.renewLease(record.starts).catch(() => {})
      if (!(await isGone())) callOff = later()
    }
    let callOff = later()
    const forget = () => {
      callOff()
      gone.abort(new Error('the server was released'))
    }
    return {
      key,
      serves: record.serves,
      forget,
      server: { ...server, gone: gone.signal, isGone, explain: () => this.explain(record) },
    }
  }

  private async explain(record: ServerRecord): Promise<ServerFailure> {
    if ((await readServerRecord(this.folder, this.surroundings))?.ended === 'cancelled') {
      return new ServerFailure(`${record.name} was cancelled. Run again to go on.`, false)
    }
    const place = startFolder(this.folder, record.starts)
    const { cause, retry } = await explainServer(place)
    const words = record.handle === undefined ? undefined : await this.launcher.explain(record.handle)
    const log = join(place, serverFiles.log)
    const scheduler = words === undefined ? '' : ` ${words}.`
    return new ServerFailure(`the server of ${record.serves} failed: ${cause}${scheduler} Log: ${log}`, retry)
  }
}

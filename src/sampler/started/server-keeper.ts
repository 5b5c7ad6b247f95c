// The server of a run: started when a stage needs it, kept while stages need the same one, ended before anybody else needs its GPUs.
import { randomBytes } from 'node:crypto'
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { internal, UserError } from '../../base/errors.ts'
import { hashJson, writeFileAtomic } from '../../base/files.ts'
import { type JobHandle, type Launcher, launchers } from '../../engine/cluster/launcher.ts'
import { endServer } from './server-end.ts'
import { explainServer } from './server-failure.ts'
import { readNote, readServerRecord, type ServerRecord, startFolder, writeServerRecord } from './server-record.ts'
import { serverFiles, writeServerScript } from './server-script.ts'
import type { Served, StartSettings } from './start-settings.ts'

/** A server that answers. */
export interface RunningServer {
  /** Up to and including the version. */
  url: string
  /** What calls must carry. */
  key: string | undefined
  /** Aborted when it is gone, however. */
  gone: AbortSignal
  /** Why it went, and whether another start may come through. */
  explain(): Promise<{ error: UserError; retry: boolean }>
}

/** Waits, in ms; tests have shorter ones. */
export interface KeeperTimes {
  /** Between two looks at a server. */
  look: Record<JobHandle['place'], number>
  /** The server ends by itself where meikai gives no sign of life for so long: seconds. */
  leaseSeconds: number
}

const realTimes: KeeperTimes = { look: { here: 1000, slurm: 5000 }, leaseSeconds: 120 }
const healthMilliseconds = 5000

/**
 * Keeps at most one server for a run. One that an earlier process of the same run left is used again where it serves the
 * same, and ended where not.
 */
export class ServerKeeper {
  private readonly folder: string
  private readonly settings: StartSettings
  private readonly signal: AbortSignal
  private readonly times: KeeperTimes
  private readonly launcher: Launcher
  private current: { key: string; server: RunningServer; forget(): void } | undefined
  /** What was asked for is done one by one. */
  private last: Promise<unknown> = Promise.resolve()

  /**
   * @param folder below the run's, for the server's script, log and record.
   * @param signal ends the wait for a server that starts.
   */
  constructor(folder: string, settings: StartSettings, signal: AbortSignal, times: KeeperTimes = realTimes) {
    this.folder = folder
    this.settings = settings
    this.signal = signal
    this.times = times
    this.launcher = launchers[settings.place]
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
      const found = await readServerRecord(this.folder)
      const isThere =
        found?.key === key &&
        found.ended === undefined &&
        found.handle !== undefined &&
        (await this.isAlive(found.handle))
      if (!isThere) await this.end()
      const record = isThere ? found : await this.start(served, key)
      try {
        const server = await this.waitUntilHealthy(record, served)
        this.current = this.watch(record, key, server)
        return this.current.server
      } catch (error) {
        await this.end()
        throw error
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
    await endServer(this.folder, 'done')
  }

  private async isAlive(handle: JobHandle): Promise<boolean> {
    return (await launchers[handle.place].state(handle)) !== 'gone'
  }

  private async start(served: Served, key: string): Promise<ServerRecord> {
    const { settings, folder } = this
    const starts = ((await readServerRecord(folder))?.starts ?? 0) + 1
    const place = startFolder(folder, starts)
    await mkdir(place, { recursive: true })
    const name = `meikai-${basename(dirname(folder))}-server`
    const { leaseSeconds } = this.times
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
    return record
  }

  private renewLease(start: number): Promise<void> {
    return writeFile(join(startFolder(this.folder, start), serverFiles.lease), `${Date.now()}\n`)
  }

  private async waitUntilHealthy(record: ServerRecord, served: Served): Promise<Pick<RunningServer, 'url' | 'key'>> {
    const { settings, times } = this
    const place = startFolder(this.folder, record.starts)
    const handle = record.handle ?? internal('a server that was not started')
    let began: number | undefined
    for (;;) {
      this.signal.throwIfAborted()
      await this.renewLease(record.starts)
      const state = await this.launcher.state(handle)
      if (state === 'gone') throw (await this.explain(record)).error
      const address = await readNote<{ host: string; port: number }>(join(place, serverFiles.address))
      if (address !== undefined) {
        const url = this.urlOf(address)
        if (await isHealthy(`${url}/health`)) return { url: `${url}/v1`, key: await this.readKey(place) }
      }
      if (state === 'running') began ??= performance.now()
      if (began !== undefined && performance.now() - began > settings.startSeconds * 1000) {
        throw new UserError(
          `the server of ${served.name} did not answer within ${settings.startSeconds} seconds (sampler.start.startSeconds). Log: ${join(place, serverFiles.log)}`,
        )
      }
      await sleep(times.look[settings.place])
    }
  }

  private urlOf({ host, port }: { host: string; port: number }): string {
    if (this.settings.listen === 'network') return `http://${host}:${port}`
    if (host === hostname()) return `http://127.0.0.1:${port}`
    throw new UserError(
      `the server runs on ${host} and listens to that machine alone, this is ${hostname()}. Set sampler.start.listen: network (calls then carry a key), or run meikai there.`,
    )
  }

  private async readKey(place: string): Promise<string | undefined> {
    return this.settings.listen === 'network' ? readFile(join(place, serverFiles.key), 'utf8') : undefined
  }

  /** Renews the lease and looks at the server from now on. */
  private watch(record: ServerRecord, key: string, server: Pick<RunningServer, 'url' | 'key'>) {
    const gone = new AbortController()
    const handle = record.handle ?? internal('a server that was not started')
    let timer: NodeJS.Timeout
    const look = async () => {
      await this.renewLease(record.starts).catch(() => {})
      // A scheduler that does not answer says nothing about the server.
      const state = await this.launcher.state(handle).catch(() => 'running')
      if (gone.signal.aborted) return
      if (state === 'gone') gone.abort(new Error('the server is gone'))
      else timer = setTimeout(look, this.times.look[this.settings.place]).unref()
    }
    timer = setTimeout(look, this.times.look[this.settings.place]).unref()
    const forget = () => {
      clearTimeout(timer)
      gone.abort(new Error('the server was released'))
    }
    return { key, forget, server: { ...server, gone: gone.signal, explain: () => this.explain(record) } }
  }

  private async explain(record: ServerRecord): Promise<{ error: UserError; retry: boolean }> {
    if ((await readServerRecord(this.folder))?.ended === 'cancelled') {
      return { error: new UserError(`${record.name} was cancelled. Run again to go on.`), retry: false }
    }
    const place = startFolder(this.folder, record.starts)
    const { cause, retry } = await explainServer(place)
    const words = record.handle === undefined ? undefined : await this.launcher.explain(record.handle)
    const log = join(place, serverFiles.log)
    const scheduler = words === undefined ? '' : ` ${words}.`
    return { error: new UserError(`the server of ${record.serves} failed: ${cause}${scheduler} Log: ${log}`), retry }
  }
}

async function isHealthy(url: string): Promise<boolean> {
  return fetch(url, { signal: AbortSignal.timeout(healthMilliseconds) }).then(
    ({ ok }) => ok,
    () => false,
  )
}

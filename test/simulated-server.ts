// A server of the simulated cluster: a job that queues, loads and answers on loopback, under a lease, and fails when a schedule says so.
import { appendFile, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { hashFile } from '../src/base/files.ts'
import { Random } from '../src/base/random.ts'
import { type Fault as CallFault, FakeServer } from '../src/sampler/server/fake-server.fixture.ts'
import type { SimulatedClock } from './simulated-clock.ts'
import type { SimulatedJob } from './simulated-job.ts'

/** What can happen at a call, and at a start. */
export const callFaults = [
  'server killed',
  'server at its time limit',
  'call broken',
  'endpoint busy',
  'endpoint out of order',
  'meikai killed while it samples',
] as const
export const startFaults = ['server killed while it loads', 'meikai killed while its server is started'] as const
export type ServerFault = (typeof callFaults)[number] | (typeof startFaults)[number]

/** Faults at calls and at starts, counted over all servers of a run. */
export interface ServerSchedule {
  calls: ReadonlyMap<number, (typeof callFaults)[number]>
  starts: ReadonlyMap<number, (typeof startFaults)[number]>
}

export function drawServerSchedule(seed: number, calls: number, starts: number): ServerSchedule {
  const random = new Random(seed, 'server faults')
  const draw = <Kind>(kinds: readonly Kind[], most: number, moments: number) =>
    new Map(
      Array.from({ length: random.integer(most + 1) }, () => [1 + random.integer(moments), random.pick([...kinds])]),
    )
  return { calls: draw(callFaults, 5, calls), starts: draw(startFaults, 2, starts) }
}

const queueTicks = 1
const loadTicks = 2
const outOfOrderCalls = 5
/** As its script looks at its lease: seconds. */
const leaseLookSeconds = 20

/** What a server writes; `weights` tells those that it serves apart. */
export type Answer = (prompt: string, seed: number, weights: string) => string

interface ServerSurroundings {
  /** Takes it out of the cluster. */
  leave(): void
  clock: SimulatedClock
  isKilledLoading: boolean
  /** The fault of the call that now comes. */
  faultAt(): (typeof callFaults)[number] | undefined
  answer: Answer
  noteFault(fault: ServerFault): void
  killMeikai(): void
}

export class SimulatedServer implements SimulatedJob {
  readonly folder: string
  private readonly model: string
  private readonly name: string
  private readonly leaseSeconds: number
  private readonly key: string
  private readonly surroundings: ServerSurroundings
  private ticks = 0
  private isGone = false
  private fake: FakeServer | undefined
  private brokenCalls = 0
  private lease: { text: string; since: number; lookedAt: number }

  private constructor(folder: string, script: string, key: string, surroundings: ServerSurroundings) {
    const [, model, name] = /serve '([^']+)' \\\n +--served-model-name '([^']+)'/.exec(script) ?? []
    if (model === undefined || name === undefined) throw new Error(`${folder}: starts no server`)
    this.folder = folder
    this.model = model
    this.name = name
    this.leaseSeconds = Number(/every (\d+) seconds/.exec(script)?.[1])
    this.key = key
    this.surroundings = surroundings
    const now = surroundings.clock.now()
    this.lease = { text: '', since: now, lookedAt: now }
  }

  static async open(folder: string, surroundings: ServerSurroundings): Promise<SimulatedServer> {
    const [script, key] = await Promise.all(['job.sh', 'key'].map((name) => readFile(join(folder, name), 'utf8')))
    return new SimulatedServer(folder, script ?? '', key ?? '', surroundings)
  }

  get isWaiting(): boolean {
    return this.ticks < queueTicks
  }

  async advance(): Promise<void> {
    this.ticks++
    if (this.ticks === queueTicks) await this.say('Loading safetensors checkpoint shards: 10 %\r')
    if (this.ticks > queueTicks && this.surroundings.isKilledLoading) return this.vanish()
    if (this.ticks === queueTicks + loadTicks) await this.open()
    await this.lookAtLease()
  }

  async stop(): Promise<void> {
    this.vanish()
  }

  vanish(): void {
    if (this.isGone) return
    this.isGone = true
    this.surroundings.leave()
    void this.fake?.close()
  }

  private async open(): Promise<void> {
    const weights = await hashWeights(this.model)
    const fake = await FakeServer.start({
      keepBodies: false,
      models: [this.name],
      contextTokens: 65_536,
      write: (prompt, seed, model) => this.surroundings.answer(prompt, seed, model === this.name ? weights : model),
      fault: (_, { headers }) =>
        headers.authorization === `Bearer ${this.key}` ? this.misbehave() : { kind: 'status', status: 401 },
    })
    if (this.isGone) return fake.close()
    this.fake = fake
    const address = { host: '127.0.0.1', port: Number(new URL(fake.url).port) }
    await writeFile(join(this.folder, 'address.json'), JSON.stringify(address))
  }

  private misbehave(): CallFault | undefined {
    if (this.brokenCalls > 0) {
      this.brokenCalls--
      return { kind: 'reset' }
    }
    const fault = this.surroundings.faultAt()
    if (fault === undefined) return undefined
    this.surroundings.noteFault(fault)
    switch (fault) {
      case 'server killed':
        this.vanish()
        return { kind: 'cut' }
      case 'server at its time limit':
        void this.end('slurmstepd: error: *** JOB 7 CANCELLED AT 2026-01-01T00:00:00 DUE TO TIME LIMIT ***')
        return { kind: 'reset' }
      case 'call broken':
        return { kind: 'status', status: 500 }
      case 'endpoint busy':
        return { kind: 'status', status: 429, headers: { 'retry-after': '30' } }
      case 'endpoint out of order':
        this.brokenCalls = outOfOrderCalls
        return { kind: 'reset' }
      case 'meikai killed while it samples':
        this.surroundings.killMeikai()
        return { kind: 'reset' }
    }
  }

  private async lookAtLease(): Promise<void> {
    const now = this.surroundings.clock.now()
    if (this.isGone || now - this.lease.lookedAt < leaseLookSeconds * 1000) return
    const text = await readFile(join(this.folder, 'lease'), 'utf8')
    this.lease = { text, since: text === this.lease.text ? this.lease.since : now, lookedAt: now }
    if (now - this.lease.since < this.leaseSeconds * 1000) return
    await this.end('meikai: nobody has needed this server for a while; it ends')
  }

  private async end(words: string): Promise<void> {
    await this.say(`${words}\n`)
    await writeFile(join(this.folder, 'exit.json'), JSON.stringify({ status: 143, endedAt: 0 }))
    this.vanish()
  }

  private say(words: string): Promise<void> {
    return appendFile(join(this.folder, 'log.txt'), words)
  }
}

async function hashWeights(folder: string): Promise<string> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.safetensors')).sort()
  const hashes = await Promise.all(names.map((name) => hashFile(join(folder, name))))
  return hashes.map((hash) => hash.slice(0, 8)).join('+')
}

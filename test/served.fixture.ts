// Fake servers in a thread of their own, with the faults that are injected into them where a test asks for some.
import { Random } from '../src/base/random.ts'
import { serve } from '../src/base/worker-call.ts'
import { FakeServer, type Fault } from '../src/sampler/server/fake-server.fixture.ts'

export interface Served {
  servers: number
  /** Every call takes its own time between these, as texts have their own lengths: ms. */
  latency: { least: number; most: number }
  faulty: boolean
  /** What they write; letters of their own when left out. */
  text?: string
}

/** One endpoint breaks every connection for this long. */
export const OUTAGE_MILLISECONDS = 1500
/** Another asks for a rest of a second, at these calls. */
const restsAt = [200, 600]

export interface ServedReport {
  /** Time that all servers together spent on calls. */
  busyMilliseconds: number
  calls: number
  injected: { faults: number; outage: number; rests: number }
}

/** In one call of a hundred. */
const faults: Fault[] = [
  { kind: 'status', status: 500 },
  { kind: 'cut' },
  { kind: 'reset' },
  { kind: 'text', body: '{"choices": []}' },
  { kind: 'text', body: 'no JSON' },
]

const servers: FakeServer[] = []
const injected = { faults: 0, outage: 0, rests: 0 }
let outageFrom: number | undefined

function startServer(place: number, { latency: { least, most }, faulty, text }: Served): Promise<FakeServer> {
  const random = new Random(place, 'faults')
  return FakeServer.start({
    latencyMilliseconds: () => least + random.integer(most - least),
    keepBodies: false,
    ...(text !== undefined && { write: () => text }),
    fault(call) {
      if (!faulty) return undefined
      if (place === 0 && call >= 300) outageFrom ??= performance.now()
      if (place === 0 && outageFrom !== undefined && performance.now() < outageFrom + OUTAGE_MILLISECONDS) {
        injected.outage++
        return { kind: 'reset' }
      }
      if (place === 1 && restsAt.includes(call)) {
        injected.rests++
        return { kind: 'status', status: 429, headers: { 'retry-after': '1' } }
      }
      if (random.uniform() >= 0.01) return undefined
      injected.faults++
      return random.pick(faults)
    },
  })
}

serve({
  async *start(served: Served) {
    for (let place = 0; place < served.servers; place++) servers.push(await startServer(place, served))
    yield servers.map(({ url }) => url)
  },
  async *report() {
    const busyMilliseconds = servers.reduce((total, server) => total + server.busyMilliseconds, 0)
    const calls = servers.reduce((total, server) => total + server.calls, 0)
    yield { busyMilliseconds, calls, injected } satisfies ServedReport
  },
  async *stop() {
    await Promise.all(servers.splice(0).map((server) => server.close()))
    yield 'stopped'
  },
})

// A fleet of eight endpoints with faults: every sample once, near the ideal time, in flat memory.
import { afterAll, expect, it } from 'vitest'
import { startWorker } from '../src/base/worker-call.ts'
import { plainSettings } from '../src/sampler/sampler.contract.ts'
import { openServerSampler } from '../src/sampler/server/server.ts'
import type { Served, ServedReport } from './served.fixture.ts'

const CONCURRENCY = 12
const PROMPTS = 10_000
const SAMPLES = 8
/** As in the fixture: one outage, and two rests that an endpoint asks for. */
const LOST_MILLISECONDS = 1500 + 2 * 1000

const fleet = startWorker(new URL('./served.fixture.ts', import.meta.url))
afterAll(async () => {
  await ask('stop')
  await fleet.close()
})

async function ask<Answer>(method: string, args: unknown = {}): Promise<Answer> {
  for await (const answer of fleet.stream<Answer>(method, args)) return answer
  throw new Error(`${method}: no answer`)
}

// Long enough calls that two cores with other work on them keep up.
it('10,000 prompts x 8 samples over 8 endpoints with faults: exact counts, ideal time, flat memory', {
  timeout: 240_000,
}, async () => {
  const urls = await ask<string[]>('start', {
    servers: 8,
    latency: { least: 300, most: 400 },
    faulty: true,
  } satisfies Served)
  const sampler = openServerSampler({
    endpoints: urls.map((url) => ({ url, concurrency: CONCURRENCY })),
    model: 'a-model',
    api: 'completions',
    dialect: 'vllm',
    samplesPerCall: SAMPLES,
    timeoutSeconds: 10,
    attempts: 10,
  })
  const requests = Array.from({ length: PROMPTS }, (_, i) => ({ id: `q${i}`, prompt: `prompt ${i}`, samples: SAMPLES }))
  const { signal } = new AbortController()
  // What is compiled and connected in the first seconds is no part of the time.
  const first = requests.slice(0, 1000).map((request) => ({ ...request, samples: 1 }))
  for await (const _ of sampler.sample(first, plainSettings, signal));
  const { busyMilliseconds: busyBefore } = await ask<ServedReport>('report')
  const seen = new Uint8Array(PROMPTS * SAMPLES)
  const heaps: number[] = []
  const began = performance.now()
  let count = 0
  for await (const { id, sample } of sampler.sample(requests, plainSettings, signal)) {
    seen[Number(id.slice(1)) * SAMPLES + sample]!++
    if (++count % 10_000 === 0) heaps.push(process.memoryUsage().heapUsed / 2 ** 20)
  }
  const milliseconds = performance.now() - began
  await sampler.close()

  expect(count).toBe(PROMPTS * SAMPLES)
  expect(seen.every((times) => times === 1)).toBe(true)
  const { busyMilliseconds, injected } = await ask<ServedReport>('report')
  expect(injected.faults).toBeGreaterThan(50)
  expect(injected.outage).toBeGreaterThan(0)
  expect(injected.rests).toBe(2)

  // Ideal: all places always busy with what the endpoints take for a call, but for the outage and the rests.
  const ideal = (busyMilliseconds - busyBefore + CONCURRENCY * LOST_MILLISECONDS) / (urls.length * CONCURRENCY)
  const megabytes = heaps.map((heap) => heap.toFixed(0)).join(' ')
  console.log(
    `${(milliseconds / 1000).toFixed(1)} s, ${(milliseconds / ideal).toFixed(3)} of the ideal; ${megabytes} MB`,
  )
  expect(milliseconds / ideal).toBeLessThan(1.05)
  // All answers together would be some 60 MB; what is in use wavers by what has not been collected yet.
  expect(Math.min(...heaps.slice(-3))).toBeLessThan(Math.max(...heaps.slice(0, 3)) + 16)
})

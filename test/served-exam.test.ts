// An examination keeps an endpoint at its limit: the sampler never waits for grading, records or the next way.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { startWorker } from '../src/base/worker-call.ts'
import type { ExamItem } from '../src/exam/records.ts'
import { defaultTemplate } from '../src/exam/template.ts'
import { runExamination } from '../src/pipeline/examination.ts'
import type { Served, ServedReport } from './served.fixture.ts'

const CONCURRENCY = 16

const fake = startWorker(new URL('./served.fixture.ts', import.meta.url))
afterAll(async () => {
  await ask('stop')
  await fake.close()
})

async function ask<Answer>(method: string, args: unknown = {}): Promise<Answer> {
  for await (const answer of fake.stream<Answer>(method, args)) return answer
  throw new Error(`${method}: no answer`)
}

// Other work on the machine can only slow an attempt down: one of three has to reach the bound.
it('an endpoint that answers in 100 ms is kept at its limit for 95 % of the time', { retry: 2 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'served-exam-'))
  const text = `${'長い解説がここに入る。'.repeat(40)}\n答え：b`
  const served: Served = { servers: 1, latency: { least: 80, most: 120 }, faulty: false, text }
  const [url] = await ask<[string]>('start', served)
  const items = Array.from({ length: 1000 }, (_, i): ExamItem => {
    return { id: `q${i}`, question: `${i}番`, options: ['い', 'ろ', 'は', 'に', 'ほ'], gold: [['b']], points: 1 }
  })
  const examination = runExamination(
    {
      exam: 'exam',
      items,
      ways: ['answer', 'explain'],
      prompts: { form: 'letter', template: defaultTemplate('letter'), shots: [] },
      model: {
        endpoints: [{ url, concurrency: CONCURRENCY }],
        model: 'served',
        api: 'completions',
        dialect: 'plain',
        samplesPerCall: 1,
        timeoutSeconds: 10,
        attempts: 3,
      },
      samples: 1,
      temperature: 0,
      topP: 1,
      seed: 0,
      answerTokens: 1000,
      explainTokens: 1000,
    },
    folder,
    new AbortController().signal,
  )
  // Loading modules is no part of asking.
  await import('../src/sampler/server/server.ts')
  const began = performance.now()
  for await (const _ of examination);
  const milliseconds = performance.now() - began
  // A call takes a little longer than what the server waits.
  const { busyMilliseconds, calls } = await ask<ServedReport>('report')
  const ideal = busyMilliseconds / CONCURRENCY
  console.log(`${(milliseconds / 1000).toFixed(2)} s; busy ${((100 * ideal) / milliseconds).toFixed(1)} % of the time`)
  await ask('stop') // another attempt starts its own
  await rm(folder, { recursive: true })
  expect(calls).toBe(2000)
  expect(ideal / milliseconds).toBeGreaterThan(0.95)
})

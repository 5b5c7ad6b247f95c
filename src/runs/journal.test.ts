// Journals and metrics: what a kill tears is dropped, what is repeated replaces what was there.
import { mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, expect, it } from 'vitest'
import type { TrainingEvent } from '../base/progress.ts'
import { openJournal, readJournal } from './journal.ts'
import { MetricsWriter, readMetrics } from './metrics.ts'

let file: string
beforeEach(async () => {
  file = join(await mkdtemp(join(tmpdir(), 'journal-')), 'a.jsonl')
})

it.each([
  ['', []],
  ['{"n":1}\n', [1]],
  ['{"n":1}\n{"n":2}', [1]],
  ['{"n":1}\n{"n":', [1]],
  ['{"n":1}\n{"n":\n{"n":3}\n', [1]],
  ['{"n":1}\n\0\0\0\0', [1]],
])('reads %j as %j and goes on from there', async (text, numbers) => {
  await writeFile(file, text)
  const journal = await openJournal<{ n: number }>(file)
  expect(journal.records.map(({ n }) => n)).toEqual(numbers)
  await journal.append({ n: 9 })
  await journal.close()
  expect((await readJournal<{ n: number }>(file)).map(({ n }) => n)).toEqual([...numbers, 9])
  expect(await readFile(file, 'utf8')).toMatch(/\{"n":9\}\n$/)
})

it('keeps only what it is asked to', async () => {
  await writeFile(file, '{"n":1}\n{"n":2}\n')
  await (await openJournal<{ n: number }>(file, ({ n }) => n > 1)).close()
  expect(await readFile(file, 'utf8')).toBe('{"n":2}\n')
})

const start = (firstStep: number): TrainingEvent => ({
  type: 'training-start',
  steps: 4,
  firstStep,
  trainableParameters: 1,
  threads: 1,
})
const step = (n: number, loss: number): TrainingEvent => ({
  type: 'step-end',
  step: n,
  loss,
  learningRate: 1,
  gradientNorm: 1,
  tokens: 1,
  seconds: 1,
})
const evaluation = (n: number, loss: number): TrainingEvent => ({
  type: 'evaluation-end',
  step: n,
  set: 'held-out',
  loss,
  tokens: 1,
})

async function write(events: TrainingEvent[]): Promise<void> {
  const writer = new MetricsWriter(file)
  for (const event of events) await writer.write(event)
  await writer.close()
}

it('has every step once after a kill and a resumption, which tells the past again', async () => {
  await write([start(1), evaluation(0, 9), step(1, 1), step(2, 2), step(3, 3)])
  await write([start(2), evaluation(0, 9), step(1, 1), step(2, 20), step(3, 30), evaluation(3, 8)])
  const losses = (await readMetrics(file)).map((event) => ('loss' in event ? [event.type, event.step, event.loss] : []))
  expect(losses).toEqual([
    ['evaluation-end', 0, 9],
    ['step-end', 1, 1],
    ['step-end', 2, 20],
    ['step-end', 3, 30],
    ['evaluation-end', 3, 8],
  ])
})

it('has the steps before a kill, the last one whole', async () => {
  await write([start(1), step(1, 1), step(2, 2)])
  const text = await readFile(file, 'utf8')
  await writeFile(file, text.slice(0, -5))
  expect(await readMetrics(file)).toEqual([step(1, 1)])
})

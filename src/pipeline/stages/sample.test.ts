// Recorded log-probabilities of pairs: means over pairs, and none where a response was not sampled as it stands there.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { writeJsonLines } from '../../base/files.ts'
import type { PairRow } from '../../data/records.ts'
import type { Stage } from '../stage.ts'
import { meanSampled } from './sample.ts'

const folder = await mkdtemp(join(tmpdir(), 'meikai-mean-sampled-'))
afterAll(() => rm(folder, { recursive: true }))

const sample = (question: string, tokens: number[], logProbabilities: number[]) => ({
  question,
  tokens,
  logProbabilities,
})
const pair = (question: string, chosenTokens: number[], rejectedTokens: number[]): PairRow => {
  return { id: `${question}/${chosenTokens}`, question, promptTokens: [1], chosenTokens, rejectedTokens }
}

const samples = [
  sample('q1', [5, 6], [-1, -2]),
  sample('q1', [7], [-4]),
  sample('q2', [5, 6], [-0.5, -0.25]),
  sample('q2', [8], []), // a server that gives none
]

it.each([
  // -1 - 2 and -0.5 - 0.25: the same tokens are another response to another question.
  ['means over pairs', [pair('q1', [5, 6], [7]), pair('q2', [5, 6], [5, 6])], (-3 - 0.75) / 2, (-4 - 0.75) / 2],
  ['a response that was not sampled', [pair('q1', [5, 6], [7]), pair('q1', [7], [9])], (-3 - 4) / 2, Number.NaN],
  ['a response without log-probabilities', [pair('q2', [8], [5, 6])], Number.NaN, -0.75],
])('%s', async (_name, pairs, chosen, rejected) => {
  const file = join(folder, 'pairs.jsonl')
  await writeJsonLines(file, pairs)
  await writeJsonLines(join(folder, 'sample-cpt', 'samples.jsonl'), samples)
  expect(await meanSampled(folder, { id: 'sample-cpt' } as Stage, file)).toEqual({ chosen, rejected })
})

// Plans from a file: the same rows in the same order as ever, tokens read step by step, bad rows named with their line.
import { createHash } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeDocuments, makePairs, plainSettings } from '../../test/training-example.ts'
import { writeJsonLines } from '../base/files.ts'
import type { TrainingJob } from './engine.ts'
import {
  countAllLosses,
  countLosses,
  countSteps,
  type PlannedBatch,
  packEvaluation,
  planEvaluation,
  planSteps,
  readSteps,
} from './training-data.ts'
import { type DocumentRecords, readRecords } from './training-records.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meikai-training-data-'))
})
afterAll(() => rm(folder, { recursive: true }))

const limits = { vocabularySize: 24, contextTokens: 32 }
const nextToken = { kind: 'next-token' } as const
const preference = { kind: 'preference', loss: 'rpo', beta: 0.1, alpha: 1, reference: { folder: '' } } as const

async function write(name: string, rows: readonly unknown[]): Promise<string> {
  const file = join(folder, name)
  await writeJsonLines(file, rows)
  return file
}

function jobOf(change: Partial<TrainingJob>): TrainingJob {
  return { ...plainSettings, seed: 3, accumulate: 2, ...change } as TrainingJob
}

const hashOf = (plan: unknown) => createHash('sha256').update(JSON.stringify(plan)).digest('hex').slice(0, 16)
const content = (batches: readonly PlannedBatch[]) => batches.map(({ rows, ids }) => ({ rows, ids }))

async function hashAll(batches: AsyncIterable<PlannedBatch>): Promise<string> {
  const all: PlannedBatch[] = []
  for await (const batch of batches) all.push(batch)
  return hashOf(content(all))
}

// The hashes are those of plans that were made of all records in memory.
describe('plans', () => {
  it.each([
    [7, 84, '0eb0e69c6808e6e1', '809858362fe9107e', '9f0ec68aac1d2e42'],
    [16, 77, '151674b7fd0ba747', '3f7ba0b567f1f237', '95e1525e389468b9'],
  ])('of documents in rows of %i tokens', async (rowTokens, count, training, evaluation, packed) => {
    const job = jobOf({ epochs: 2.5, batch: { tokens: 48, sequenceTokens: rowTokens } })
    const file = await write('documents.jsonl', makeDocuments(300))
    const records = (await readRecords(file, nextToken, limits)) as DocumentRecords
    const readers = [...planSteps(records, job, rowTokens)]
    expect(readers).toHaveLength(count)
    expect(countSteps(records, job, rowTokens)).toBe(count)
    const steps: PlannedBatch[][] = []
    for (const read of readers) steps.push(await read())
    expect(hashOf(steps.map(content))).toBe(training)
    expect(await hashAll(planEvaluation(records, job, rowTokens))).toBe(evaluation)
    expect(await hashAll(packEvaluation(records, rowTokens))).toBe(packed)
    // A step read alone, long after it was planned, is the same.
    expect(await readers[40]!()).toEqual(steps[40])
    const from41: PlannedBatch[][] = []
    for await (const step of readSteps(readers, 41)) from41.push(step)
    expect(from41).toEqual(steps.slice(40))

    let losses = 0
    for await (const batch of planEvaluation(records, job, rowTokens)) losses += countLosses([batch], nextToken)
    expect(countAllLosses(records)).toBe(losses)
  })

  it('of pairs, counted as they are made where a share of a pass is rounded', async () => {
    const job = jobOf({ epochs: 2.3, batch: { pairs: 1, maxTokens: 40 } })
    const records = await readRecords(await write('few-pairs.jsonl', makePairs(5)), preference, limits)
    expect(countSteps(records, job, 0)).toBe([...planSteps(records, job, 0)].length)
  })

  it('of pairs', async () => {
    const job = jobOf({ epochs: 1.5, batch: { pairs: 7, maxTokens: 40 } })
    const records = await readRecords(await write('pairs.jsonl', makePairs(90)), preference, limits)
    const steps: PlannedBatch[][] = []
    for (const read of planSteps(records, job, 0)) steps.push(await read())
    expect(steps).toHaveLength(20)
    expect(countSteps(records, job, 0)).toBe(20)
    expect(hashOf(steps.map(content))).toBe('ec34d3f89c14056c')
    expect(await hashAll(planEvaluation(records, job, 0))).toBe('6dd70ac6e0a7c3ef')
    expect(countAllLosses(records)).toBe(90)
    // Each pair knows its place in the file.
    for (const { pair } of steps.flat().flatMap(({ trees }) => trees.flatMap((tree) => tree.pairs))) {
      expect(pair.id).toBe(`p${pair.number}`)
    }
  })
})

const document = { id: 'a', source: 's', tokens: [1, 2, 3], lossFrom: 1 }
const pair = { id: 'a', question: 'q', promptTokens: [1], chosenTokens: [2], rejectedTokens: [3] }

describe('looking records over', () => {
  it.each<[string, typeof nextToken | typeof preference, unknown[], RegExp]>([
    ['no documents', nextToken, [], /x\.jsonl: holds no documents/],
    ['nothing to predict', nextToken, [{ ...document, lossFrom: 3 }], /x\.jsonl: no document has a token with a loss/],
    ['a list', nextToken, [document, [1]], /x\.jsonl:2: id must be a text/],
    ['no object', nextToken, [document, null], /x\.jsonl:2: not an object/],
    ['no tokens', nextToken, [document, { ...document, tokens: 'ab' }], /x\.jsonl:2: tokens must be a list/],
    ['half a token to begin at', nextToken, [{ ...document, lossFrom: 0.5 }], /x\.jsonl:1: lossFrom must be a whole/],
    [
      'a token beyond the vocabulary',
      nextToken,
      [document, { ...document, id: 'b', tokens: [1, 24] }],
      /x\.jsonl:2: document b has the token 24, the model's vocabulary has 24\. It was tokenised for another model/,
    ],
    [
      'a token that is no id',
      nextToken,
      [{ ...document, tokens: [1, 1.5] }],
      /x\.jsonl:1: document a has the token 1\.5/,
    ],
    ['no pairs', preference, [], /x\.jsonl: holds no preference pairs/],
    ['a pair without question', preference, [{ ...pair, question: 1 }], /x\.jsonl:1: id and question must be texts/],
    ['a pair of texts', preference, [pair, { ...pair, chosenTokens: 'a' }], /x\.jsonl:2: chosenTokens must be a list/],
    [
      'an empty response',
      preference,
      [pair, { ...pair, rejectedTokens: [] }],
      /x\.jsonl:2: pair a has no rejectedTokens/,
    ],
    [
      'a foreign token in a pair',
      preference,
      [{ ...pair, rejectedTokens: [-1] }],
      /x\.jsonl:1: pair a has the token -1 in rejectedTokens/,
    ],
    [
      'a pair beyond the context',
      preference,
      [pair, { ...pair, chosenTokens: new Array(32).fill(2) }],
      /x\.jsonl:2: pair a has 33 tokens, the model's context 32\. Leave it out/,
    ],
  ])('refuses %s', async (_name, objective, rows, message) => {
    await expect(readRecords(await write('x.jsonl', rows), objective, limits)).rejects.toThrow(message)
  })

  it('says that a file was changed between being looked over and being read', async () => {
    const file = await write('changing.jsonl', makeDocuments(20))
    const job = jobOf({ epochs: 1, batch: { tokens: 48, sequenceTokens: 16 } })
    const [first] = planSteps(await readRecords(file, nextToken, limits), job, 16)
    await writeJsonLines(file, makeDocuments(20, 2))
    await expect(first!()).rejects.toThrow(/changing\.jsonl: was changed while it was read/)
  })

  it('refuses a packed file, which cannot be read in any order', async () => {
    const file = join(folder, 'packed.jsonl.gz')
    await writeFile(file, '')
    await expect(readRecords(file, nextToken, limits)).rejects.toThrow(/packed\.jsonl\.gz: .*gunzip/)
  })
})

// Equivalences of the training step: packed = unpacked, shared prompt = separate sequences, accumulated = one batch,
// layers computed again = layers kept.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Random } from '../src/base/random.ts'
import { Learner } from '../src/engine/embedded/learner.ts'
import { type Checkpoint, openCheckpoint } from '../src/model/checkpoint.ts'
import { blockTokens } from '../src/model/forward.ts'
import { makeBatch, type Row, rowLength } from '../src/training/batch.ts'
import type { Document } from '../src/training/documents.ts'
import { nextTokenWeights, preferenceWeights } from '../src/training/objective.ts'
import { growTrees, type Pair, type PreferenceTree } from '../src/training/preference-groups.ts'
import type { Learning } from '../src/training/step-graph.ts'
import { cutRows, packRows } from './document-rows.ts'
import { writeSmallModel } from './small-model.ts'
import { makeDocuments, makePairs, smallLora, smallShape } from './training-example.ts'

/** The longest row. */
const positions = 640

let folder: string
let checkpoint: Checkpoint
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meikai-equivalence-'))
  await writeSmallModel(folder, smallShape)
  checkpoint = await openCheckpoint({ folder }, positions)
})
afterAll(() => rm(folder, { recursive: true }))

async function openLearner(
  learning: Learning,
  chunk: number,
  options: { beta?: number; dropout?: number; recompute?: 'none' | 'quick' | 'layers' } = {},
): Promise<Learner> {
  const graphs = { step: true, forward: true }
  const learner = await Learner.compile({ checkpoint, learning, positions, chunk, threads: 2, graphs, ...options })
  const random = new Random(3, 'equivalence')
  for (const { name } of learner.segments) {
    if (learning.kind === 'full') learner.view(name).set(await checkpoint.read(name))
    else learner.view(name).set(learner.view(name).map(() => 0.3 * random.normal()))
  }
  return learner
}

/** Mean and largest difference, as a share of the largest entry. */
function compare(a: Float32Array, b: Float32Array): { mean: number; largest: number } {
  expect(a.length).toBe(b.length)
  let sum = 0
  let largest = 0
  let scale = 0
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs(a[i]! - b[i]!)
    sum += difference
    largest = Math.max(largest, difference)
    scale = Math.max(scale, Math.abs(a[i]!))
  }
  expect(scale).toBeGreaterThan(1e-3)
  return { mean: sum / a.length / scale, largest: largest / scale }
}

/** Bits, so that not even 0 and -0 count as the same. */
const bitsOf = (values: Float32Array): Int32Array => new Int32Array(values.slice().buffer)

const learnings: [string, Learning][] = [
  ['full', { kind: 'full' }],
  ['LoRA', { kind: 'lora', lora: smallLora }],
]

it.each(learnings)('packed documents give the gradient of unpacked ones (%s)', async (_name, learning) => {
  const documents = makeDocuments(12)
  const packed = packRows(documents, 24, 1, 0).map(({ row }) => row)
  const alone = documents.flatMap((document) => cutRows(document, 24)).map(({ row }) => row)
  expect(packed.length).toBeLessThan(alone.length)
  const learner = await openLearner(learning, 0)
  const gradientOf = async (rows: Row[], chunk = 0) => {
    const batch = makeBatch(rows, chunk)
    await learner.differentiate(
      batch,
      nextTokenWeights(batch.predictions, batch.targets.length, batch.predictions),
      false,
    )
    return learner.gradient.slice()
  }
  const whole = await gradientOf(alone)
  const difference = compare(whole, await gradientOf(packed))
  expect(difference.largest).toBeLessThan(1e-5)
  expect(difference.mean).toBeLessThan(1e-7)

  // Accumulated over four micro-batches, the same.
  const total = alone.reduce((sum, row) => sum + row.predictions.length, 0)
  for (let i = 0; i < 4; i++) {
    const batch = makeBatch(alone.slice(3 * i, 3 * i + 3))
    await learner.differentiate(batch, nextTokenWeights(batch.predictions, batch.targets.length, total), i > 0)
  }
  expect(compare(whole, learner.gradient).largest).toBeLessThan(1e-5)
  await learner.release()

  // And with the head a few rows at a time.
  const chunked = await openLearner(learning, 4)
  const batch = makeBatch(alone, 4)
  expect(batch.targets.length).toBeGreaterThan(batch.predictions)
  await chunked.differentiate(batch, nextTokenWeights(batch.predictions, batch.targets.length, total), false)
  expect(compare(whole, chunked.gradient).largest).toBeLessThan(1e-5)
  await chunked.release()
})

/** Documents of 10 to 150 tokens: packed, they fill rows of three blocks of attention. */
function makeLongDocuments(): Document[] {
  const random = new Random(5, 'long documents')
  return Array.from({ length: 12 }, (_, i) => {
    const tokens = Array.from({ length: 10 + random.integer(140) }, () => 2 + random.integer(22))
    return { id: `${i}`, tokens, lossFrom: 1 }
  })
}

it.each(learnings)('rows of several blocks of attention give what short rows give (%s)', async (_name, learning) => {
  const documents = makeLongDocuments()
  const packed = packRows(documents, 640, 1, 0).map(({ row }) => row)
  const alone = documents.flatMap((document) => cutRows(document, 640)).map(({ row }) => row)
  expect(Math.max(...packed.map(rowLength))).toBeGreaterThan(2 * blockTokens)
  expect(packed.length).toBeGreaterThan(1)
  const learner = await openLearner(learning, 0)
  const compute = async (rows: Row[]) => {
    const batch = makeBatch(rows)
    const weights = nextTokenWeights(batch.predictions, batch.targets.length, batch.predictions)
    await learner.differentiate(batch, weights, false)
    return { gradient: learner.gradient.slice(), scores: await learner.score(batch) }
  }
  const [blocked, short] = [await compute(packed), await compute(alone)]
  await learner.release()
  expect(compare(blocked.gradient, short.gradient).largest).toBeLessThan(1e-5)
  const sorted = (scores: Float32Array) => scores.toSorted()
  expect(compare(sorted(blocked.scores), sorted(short.scores)).largest).toBeLessThan(1e-5)
})

it.each(learnings)(
  'layers, or what is quick in them, computed again give the same bits as layers kept (%s)',
  async (_name, learning) => {
    const rows = [...packRows(makeLongDocuments(), 640, 1, 0)].map(({ row }) => row)
    const results: Float32Array[] = []
    for (const recompute of ['none', 'quick', 'layers'] as const) {
      const learner = await openLearner(learning, 32, { recompute, dropout: 0.2 })
      for (const some of [rows, rows.slice(1)]) {
        const batch = makeBatch(some, 32)
        const weights = nextTokenWeights(batch.predictions, batch.targets.length, batch.predictions)
        const random = new Random(4, 'dropout')
        results.push(await learner.differentiate(batch, weights, false, random), learner.gradient.slice())
      }
      await learner.release()
    }
    const [kept, quick, again] = [results.slice(0, 4), results.slice(4, 8), results.slice(8)]
    expect(quick.map(bitsOf)).toEqual(kept.map(bitsOf))
    expect(again.map(bitsOf)).toEqual(kept.map(bitsOf))

    // One last bit that differs is seen.
    const planted = again.map(bitsOf)
    planted[1]![planted[1]!.length >> 1]! ^= 1
    expect(planted).not.toEqual(kept.map(bitsOf))
  },
)

/** Pairs whose trees are of three blocks of attention; the last block sees no response but its own. */
function makeLongPairs(count: number): Pair[] {
  const random = new Random(6, 'long pairs')
  const run = (length: number) => Array.from({ length }, () => 2 + random.integer(22))
  return Array.from({ length: count / 2 }, (_, i) => ({
    question: `q${i}`,
    promptTokens: run(200),
    chosenTokens: run(60),
  })).flatMap((shared, i) =>
    [0, 1].map((j) => ({ id: `p${2 * i + j}`, ...shared, rejectedTokens: run(130 + random.integer(20)) })),
  )
}

it.each(
  learnings.flatMap(([name, learning]) => [
    { name: `${name}, short`, learning, pairs: makePairs(8), longest: 64 },
    { name: `${name}, several blocks of attention`, learning, pairs: makeLongPairs(8), longest: positions },
  ]),
)('a prompt shared by a group gives what separate sequences give ($name)', async ({ learning, pairs, longest }) => {
  const grouped = growTrees(pairs, longest)
  // A limit of one token puts every pair into a tree of its own; then every response into a document of its own.
  const separate = growTrees(pairs, 1)
  expect(grouped).toHaveLength(4)
  expect(separate).toHaveLength(8)
  const learner = await openLearner(learning, 0, { beta: 0.1 })
  const gradientOf = async (trees: PreferenceTree[]) => {
    const batch = makeBatch(trees.map(({ row }) => row))
    const margin = ({ chosenTokens, rejectedTokens }: Pair) => (chosenTokens.length - rejectedTokens.length) / 10
    const weights = preferenceWeights(trees, batch.targets.length, 8, { loss: 'rpo', alpha: 1 }, margin)
    const logProbabilities = await learner.differentiate(batch, weights, false)
    return { gradient: learner.gradient.slice(), logProbabilities }
  }
  const together = await gradientOf(grouped)
  const apart = await gradientOf(separate)
  expect(compare(together.gradient, apart.gradient).largest).toBeLessThan(1e-5)

  const plain: Row[] = pairs.flatMap(({ promptTokens, chosenTokens, rejectedTokens }) =>
    [chosenTokens, rejectedTokens].flatMap((response) =>
      cutRows({ id: '', tokens: [...promptTokens, ...response], lossFrom: promptTokens.length }, longest).map(
        ({ row }) => row,
      ),
    ),
  )
  const scored = await learner.score(makeBatch(plain))
  expect(compare(apart.logProbabilities, scored).largest).toBeLessThan(1e-5)
  await learner.release()
})

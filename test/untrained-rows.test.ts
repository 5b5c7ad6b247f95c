// Rows that no text trained, in real weights: stories15M was trained on English stories, begun by <s> and never ended by </s>.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { Random } from '../src/base/random.ts'
import { checkModel } from '../src/export/release-checks.ts'
import { findUntrainedRows } from '../src/export/untrained-rows.ts'
import { writeWeights } from '../src/formats/weights.ts'
import { loadModelConfig } from '../src/model/config.ts'
import { embeddingName, weightShapes } from '../src/model/weights.ts'
import { diagnose } from '../src/pipeline/doctor/diagnose.ts'
import { loadRecipe } from '../src/recipe/recipe.ts'
import { loadTokenizer } from '../src/tokenizer/tokenizer.ts'
import { writeByteModel } from './byte-model.ts'
import { storiesMissing, writeStories } from './stories.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meikai-untrained-'))
})
afterAll(() => rm(folder, { recursive: true }))

describe.skipIf(storiesMissing !== undefined)(`stories15M (${storiesMissing ?? 'real weights'})`, () => {
  beforeAll(() => writeStories(join(folder, 'stories')))

  it('tells tokens that stories hold from tokens that they do not', async () => {
    const stories = join(folder, 'stories')
    const [config, tokenizer] = [await loadModelConfig(stories), await loadTokenizer(stories)]
    const idOf = (spelling: string) => tokenizer.idOf(spelling)!
    const trained = ['<s>', '<0x0A>', '▁Once', '▁girl', ',', 'ing', '▁upon', '▁little'].map(idOf)
    const untrained = ['</s>', '<unk>', '<0x61>', '给', '▁composite', '▁UIView'].map(idOf)
    const found = await findUntrainedRows(stories, config, [...trained, ...untrained], tokenizer.vocabularySize)
    expect(found.map(({ token }) => token)).toEqual(untrained)
    expect(found.every(({ alike, table }) => alike > 20_000 && table === 'head')).toBe(true)
  })

  it('is named before an export: its end token was never trained', async () => {
    const problems = await checkModel(join(folder, 'stories'), { endTargets: undefined, trainsRows: true })
    expect(problems.map(({ name }) => name)).toEqual(['untrained-end-token', 'no-chat-template'])
    expect(problems[0]?.message).toMatch(
      /^<\/s> \(2\) ends an answer, but its row of the head cannot be told from 2\d{4} others/,
    )
  })
})

it('an export stops where a head contradicts tied embeddings', async () => {
  const model = join(folder, 'tied')
  await writeByteModel(model, 'endOfText')
  const shapes = [...weightShapes(await loadModelConfig(model)), ['lm_head.weight', [272, 32]] as const]
  const random = new Random(1, 'tied')
  await writeWeights(
    model,
    shapes.map(([name, shape]) => ({
      name,
      shape: [...shape],
      read: () => Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random.normal()),
    })),
  )
  await expect(checkModel(model, { endTargets: 1, trainsRows: true })).rejects.toThrow(
    /tie_word_embeddings, but lm_head\.weight differs from the embeddings/,
  )
})

describe('rows past the vocabulary', () => {
  /** Rows drawn with one spread and never moved, but those of tokens that occur, which grew. */
  async function writeRows(name: string, grown: (token: number) => boolean): Promise<string> {
    const model = join(folder, name)
    await writeByteModel(model, 'turnEnd')
    const config = await loadModelConfig(model)
    const random = new Random(1, 'rows')
    const tensors = [...weightShapes(config)].map(([tensor, shape]) => ({
      name: tensor,
      shape,
      read: () =>
        Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => {
          const scale = tensor === embeddingName && grown(Math.floor(i / config.width)) ? 0.2 : 0.02
          return scale * random.normal()
        }),
    }))
    await writeWeights(model, tensors)
    return model
  }

  it('show what a row looks like that was drawn and never moved', async () => {
    const model = await writeRows('drawn', (token) => token < 257) // both markers were never met
    const found = await findUntrainedRows(model, await loadModelConfig(model), [65, 256, 257, 258], 259)
    expect(found).toEqual([
      { token: 257, table: 'head', alike: 13 },
      { token: 258, table: 'head', alike: 13 },
    ])
    const problems = await checkModel(model, { endTargets: 3, trainsRows: false })
    expect(problems).toMatchObject([{ name: 'untrained-end-token', isFatal: true }, { name: 'untrained-marker' }])
    await expect(findUntrainedRows(model, await loadModelConfig(model), [272], 259)).rejects.toThrow(/has only 272/)
  })

  it('are told by the doctor, before anything is trained', async () => {
    const model = await writeRows('unlearnt', (token) => token < 257)
    const file = join(folder, 'recipe.yaml')
    await writeFile(
      file,
      stringify({ name: 'r', variants: ['base'], model: { folder: model }, exam: { test: { path: 'absent.jsonl' } } }),
    )
    const told: string[] = []
    for await (const { severity, message } of diagnose(await loadRecipe(file)))
      if (severity === 'warning') told.push(message)
    expect(told).toContainEqual(expect.stringMatching(/<\|im_end\|> \(258\) ends an answer.*adapters on linear layers/))
  })

  it('leave trained markers alone', async () => {
    const model = await writeRows('grown', (token) => token < 259)
    expect(await checkModel(model, { endTargets: 3, trainsRows: true })).toEqual([])
  })
})

// What fewer bits change is measured: a run on a bf16 base, its preference training on NF4, and what report and export say of it.
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readJson } from '../src/base/files.ts'
import { FakeEngine } from '../src/engine/fake.ts'
import { mergeAdapter } from '../src/engine/merging/merge.ts'
import type { ExportEvent } from '../src/export/export-model.ts'
import { readTensor } from '../src/formats/safetensors.ts'
import { openWeights, writeWeights } from '../src/formats/weights.ts'
import { exportRun } from '../src/pipeline/export-run.ts'
import type { ChangeRecord } from '../src/pipeline/merging.ts'
import { runRecipe } from '../src/pipeline/run.ts'
import { loadRecipe } from '../src/recipe/recipe.ts'
import type { ReportInput } from '../src/report/report-input.ts'
import { compareModels } from '../src/sampler/embedded/compare.ts'
import { FAKE_END, FakeSampler, type Write } from '../src/sampler/fake.ts'
import { openForward } from './forward.ts'
import { writeSmallAdapter, writeSmallModel } from './small-model.ts'

let folder: string
let model: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meikai-fewer-bits-'))
  model = join(folder, 'model')
  const exact = join(folder, 'exact')
  await writeSmallModel(exact, { vocab_size: 40, hidden_size: 32, num_hidden_layers: 1, intermediate_size: 64 })
  await cp(exact, model, { recursive: true })
  const { tensors } = await openWeights(exact)
  const sources = [...tensors.values()].map((tensor) => ({ ...tensor, read: () => readTensor(tensor) }))
  await writeWeights(
    model,
    sources.map((source) => ({ ...source, storedAs: 'BF16' as const })),
  )
})
afterAll(() => rm(folder, { recursive: true }))

const prompts = [[5, 9, 12, 30], [7], [2, 3, 4, 5, 6, 7, 8, 9, 10]]
const signal = new AbortController().signal

describe('two models compared', () => {
  it('differ by what their logits and greedy answers differ by', async () => {
    const adapter = join(folder, 'adapter')
    const config = await writeSmallModel(join(folder, 'shape'), {
      vocab_size: 40,
      hidden_size: 32,
      num_hidden_layers: 1,
      intermediate_size: 64,
    })
    await writeSmallAdapter(adapter, config)
    const trained = { folder: model, adapter, base: 'nf4' as const }
    const merged = { folder: join(folder, 'merged') }
    await mergeAdapter(model, adapter, merged.folder, {
      formOf: (name) => (name.endsWith('proj.weight') ? 'nf4' : undefined),
    })
    const options = { answerTokens: 12, threads: 1 }
    const found = await compareModels(trained, merged, prompts, options, signal)

    const [one, other] = [await openForward(trained), await openForward(merged)]
    let largest = 0
    for (const prompt of prompts) {
      const last = ({ logits }: { logits: Float32Array }) => logits.slice(-40)
      const [a, b] = [last(await one.run(prompt)), last(await other.run(prompt))]
      for (const [i, value] of a.entries()) largest = Math.max(largest, Math.abs(value - b[i]!))
    }
    await Promise.all([one.close(), other.close()])
    expect(largest).toBeGreaterThan(1e-3)
    expect(found.largestLogit).toBeCloseTo(largest, 4)
    expect(found.prompts).toBe(3)

    const others = await compareModels(trained, { folder: model }, prompts, options, signal)
    expect(others.answers).toBeGreaterThan(0)
    expect(others.largestLogit).toBeGreaterThan(10 * found.largestLogit)
    expect(await compareModels(merged, merged, prompts, options, signal)).toMatchObject({ largestLogit: 0, answers: 0 })
  })
})

describe('a run on a bf16 base', () => {
  let run: string
  beforeAll(async () => {
    const line = (value: object) => `${JSON.stringify(value)}\n`
    await writeFile(join(folder, 'text.jsonl'), ['丂七丄', '七丄丅', '丄丅丆'].map((text) => line({ text })).join(''))
    const item = (id: string) => line({ id, question: `丂${id}`, options: ['七', '丄'], gold: [['a']] })
    await writeFile(join(folder, 'preference.jsonl'), ['p', 'q', 'r', 's'].map(item).join(''))
    await writeFile(join(folder, 'test.jsonl'), item('t'))
    await writeFile(
      join(folder, 'recipe.yaml'),
      `name: rounded
threads: 1
variants: [base, cpt, cpt+rpo]
model: {folder: model}
corpus: {texts: [{path: text.jsonl}], heldOutShare: 0, sequenceTokens: 64}
pretrain: {rank: 4, steps: 1, batchTokens: 64}
exam: {preference: {path: preference.jsonl}, test: {path: test.jsonl}}
sample: {samples: 4, maxTokens: 32}
pair: {heldOutShare: 0.5}
prefer: {rank: 4, steps: 1, base: nf4}
examine: {answerTokens: 8, explainTokens: 16}
report: {probeQuestions: 0}
`,
    )
    const write: Write = (_, sample) => `説明。\n答え：${sample % 2 === 0 ? 'a' : 'b'}${FAKE_END}`
    const { recipe } = await loadRecipe(join(folder, 'recipe.yaml'))
    const tools = { engine: new FakeEngine(), openSampler: async () => new FakeSampler(write), compareModels }
    for await (const _ of runRecipe(recipe, { runsFolder: join(folder, 'runs'), tools }));
    run = join(folder, 'runs', 'rounded')
  }, 120_000)

  const recordOf = async (stage: string) => (await readJson(join(run, stage, 'merge.json'))) as ChangeRecord

  it('keeps 16 bits, and measures what they and the next 4 bits change', async () => {
    const cpt = await recordOf('pretrain')
    // An untrained adapter adds nothing: bf16 holds what it was.
    expect(cpt).toMatchObject({
      storedAs: 'BF16',
      adapterShare: 0,
      difference: { prompts: 3, largestLogit: 0, answers: 0 },
    })
    expect(cpt.quantisation).toBeUndefined()
    const { difference, quantisation } = await recordOf('prefer-cpt+rpo')
    expect(difference?.largestLogit).toBeGreaterThan(0)
    expect(quantisation?.difference?.largestLogit).toBeGreaterThan(difference!.largestLogit)
    for (const name of ['pretrain', 'prefer-cpt+rpo']) {
      const { tensors } = await openWeights(join(run, name, 'merged'))
      expect([...new Set([...tensors.values()].map(({ dtype }) => dtype))]).toEqual(['BF16'])
    }
  })

  it('says so in the report, on the card and in the terminal', async () => {
    const { trainings } = (await readJson(join(run, 'report', 'input.json'))) as ReportInput
    expect(trainings.map(({ changes }) => changes?.length)).toEqual([1, 2])
    const sentence =
      /the start in 4 bits, beside what was sampled from: over \d prompts a logit changes by [\d.]+ at most/
    for (const file of ['report.html', 'report.md']) {
      expect(await readFile(join(run, 'report', file), 'utf8')).toMatch(sentence)
    }
    const events: ExportEvent[] = []
    const options = { formats: ['safetensors', 'peft'], template: 'own', questions: 0 } as const
    for await (const event of exportRun(run, options, signal)) events.push(event)
    expect(events.flatMap((event) => (event.type === 'change-recalled' ? event.message : []))).toEqual([
      expect.stringMatching(/^pretrain: merged in bf16, whose rounding is/),
      expect.stringMatching(/^prefer-cpt\+rpo: merged in bf16/),
      expect.stringMatching(sentence),
    ])
    expect(events).toContainEqual(
      expect.objectContaining({ type: 'problem-found', format: 'peft', name: 'another-base' }),
    )
    const card = await readFile(join(run, 'export', 'cpt+rpo', 'safetensors', 'README.md'), 'utf8')
    expect(card).toContain('prefer-cpt+rpo: merged in bf16')
  })
})

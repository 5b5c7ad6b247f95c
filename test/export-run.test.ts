// Exporting a finished run: the variant found by its manifests, every form written, card and refusals; adapters joined as merged.
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readJson } from '../src/base/files.ts'
import { FakeEngine } from '../src/engine/fake.ts'
import { mergeAdapter } from '../src/engine/merging/merge.ts'
import { writeJoinedAdapter } from '../src/export/adapter-export.ts'
import type { ExportEvent, ExportFormat } from '../src/export/export-model.ts'
import { checkAdapter } from '../src/export/release-checks.ts'
import { readTensor } from '../src/formats/safetensors.ts'
import { openWeights } from '../src/formats/weights.ts'
import { type ExportOptions, exportRun } from '../src/pipeline/export-run.ts'
import { runRecipe } from '../src/pipeline/run.ts'
import { findTrainedModel } from '../src/pipeline/trained-model.ts'
import { loadRecipe } from '../src/recipe/recipe.ts'
import { FAKE_END, FakeSampler, type Write } from '../src/sampler/fake.ts'
import { writeSmallAdapter, writeSmallModel } from './small-model.ts'

let folder: string
let run: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meikai-export-run-'))
  const small = { vocab_size: 40, hidden_size: 16, num_hidden_layers: 1, intermediate_size: 16 }
  await writeSmallModel(join(folder, 'model'), small)
  await writeFile(join(folder, 'model', 'LICENSE'), 'do as you like')
  const line = (value: object) => `${JSON.stringify(value)}\n`
  await writeFile(join(folder, 'text.jsonl'), ['丂七丄', '七丄丅', '丄丅丆'].map((text) => line({ text })).join(''))
  const item = (id: string) => line({ id, question: '丂', options: ['七', '丄'], gold: [['a']], explanation: '七' })
  await writeFile(join(folder, 'preference.jsonl'), item('p'))
  await writeFile(join(folder, 'test.jsonl'), item('q') + item('r'))
  await writeFile(
    join(folder, 'recipe.yaml'),
    `name: small
threads: 1
variants: [base, cpt, cpt+rpo]
model: {folder: model, licence: Apache-2.0}
corpus: {texts: [{path: text.jsonl, licence: CC0-1.0}], heldOutShare: 0, sequenceTokens: 64}
pretrain: {rank: 4, steps: 1, batchTokens: 64}
exam: {preference: {path: preference.jsonl}, test: {path: test.jsonl}}
sample: {samples: 4, maxTokens: 32}
pair: {heldOutShare: 0}
prefer: {rank: 8, steps: 1}
examine: {answerTokens: 8, explainTokens: 16}
report: {probeQuestions: 0}
`,
  )
  const { recipe } = await loadRecipe(join(folder, 'recipe.yaml'))
  const tools = { engine: new FakeEngine(), openSampler: async () => new FakeSampler(write) }
  for await (const _ of runRecipe(recipe, { runsFolder: join(folder, 'runs'), tools }));
  run = join(folder, 'runs', 'small')
})
afterAll(() => rm(folder, { recursive: true }))

/** Every second sample is right, and so is every examined answer. */
const write: Write = ({ prompt }, sample) => {
  const explains = String(prompt).endsWith('解説：')
  return `${explains ? '説明。\n答え：' : ''}${sample % 2 === 0 ? 'a' : 'b'}${FAKE_END}`
}

async function exported(options: Partial<ExportOptions> & { formats: ExportFormat[] }, answers: Write = write) {
  const events: ExportEvent[] = []
  const whole: ExportOptions = {
    template: 'own',
    questions: 2,
    openSampler: async () => new FakeSampler(answers),
    ...options,
  }
  for await (const event of exportRun(run, whole, new AbortController().signal)) events.push(event)
  return events
}

describe('the export of a run', () => {
  it('writes its last variant, asks it again, and leaves a card', async () => {
    const events = await exported({ formats: ['safetensors', 'peft'] })
    expect(events.filter(({ type }) => type === 'model-examined')).toMatchObject([
      { format: 'safetensors', through: 'prompt', asked: 4, same: 4, runOn: 0 },
      { format: 'peft', through: 'prompt', asked: 4, same: 4, runOn: 0 },
    ])
    const written = join(run, 'export', 'cpt+rpo')
    expect(await readdir(join(written, 'safetensors'))).toEqual([
      'LICENSE',
      'README.md',
      'config.json',
      'generation_config.json',
      'model.safetensors',
      'tokenizer.json',
      'tokenizer_config.json',
    ])
    const merged = await openWeights(join(run, 'prefer-cpt+rpo', 'merged'))
    const own = await openWeights(join(written, 'safetensors'))
    for (const [name, tensor] of merged.tensors) {
      expect(await readTensor(own.tensors.get(name)!)).toEqual(await readTensor(tensor))
    }
    // Ranks 4 and 8 side by side, padded to one that vLLM takes; for the base that the run began with.
    expect(await readJson(join(written, 'peft', 'adapter_config.json'))).toMatchObject({
      r: 16,
      lora_alpha: 16,
      base_model_name_or_path: join(folder, 'model'),
    })
    const card = await readFile(join(written, 'safetensors', 'README.md'), 'utf8')
    for (const part of [
      'license: apache-2.0',
      'library_name: transformers',
      '# small: cpt+rpo',
      '| text.jsonl | domain text | CC0-1.0 |',
      /cpt\+rpo \| explaining first \| 100\.0 % \(2\/2; \d+\.\d to 100\.0\)/,
      'It stops at `<eos>` (1).',
      "Asked 4 questions again with the run's own prompts: the same answers, run-on 0.",
      'Only 2 questions',
      '解説：',
      'Hosts contacted: none',
    ]) {
      expect(card).toMatch(typeof part === 'string' ? new RegExp(part.replace(/[|.()*+?]/g, '\\$&')) : part)
    }
  })

  it('says what was lost where answers differ or run on', async () => {
    const events = await exported({ formats: ['safetensors'], folder: join(folder, 'lost') }, ({ prompt }) =>
      String(prompt).endsWith('解説：') ? '説明。\n答え：b' : `a${FAKE_END}`,
    )
    expect(events.at(-1)).toMatchObject({ asked: 4, same: 2, runOn: 2, lost: ['explain q', 'explain r'] })
    const card = await readFile(join(folder, 'lost', 'safetensors', 'README.md'), 'utf8')
    expect(card).toContain("2 answers differ from the run's, 2 run on (in the run 0)")
  })

  it('knows what the run trained on, and each stage of a variant', async () => {
    expect(await findTrainedModel(run, 'cpt+rpo')).toMatchObject({
      folder: join(run, 'prefer-cpt+rpo', 'merged'),
      stages: ['pretrain', 'prefer-cpt+rpo'],
      adapters: { baseFolder: join(folder, 'model'), quantisedBases: 0 },
      facts: { trainsRows: false },
    })
    const { facts } = await findTrainedModel(run, 'cpt')
    expect(facts.endTargets).toBe(3) // each text ends once
  })

  it.each([
    [
      { formats: ['gguf-f32'] },
      /tokenizer\.json: a tokenizer of whole words or single characters, which has no form in GGUF/,
    ],
    [
      { formats: ['safetensors'], variant: 'base' },
      /base is the model that the run began with; nothing was trained on it/,
    ],
    [{ formats: ['safetensors'], variant: 'dpo' }, /has no variant dpo\. It has base, cpt, cpt\+rpo/],
  ] as const)('refuses %j', async (options, message) => {
    await expect(exported({ ...options, formats: [...options.formats] })).rejects.toThrow(message)
  })

  it('refuses what is no finished run', async () => {
    const nowhere = exportRun(
      folder,
      { formats: ['peft'], template: 'own', questions: 0 },
      new AbortController().signal,
    )
    await expect(nowhere.next()).rejects.toThrow(/not a finished run .*Name its folder/)
  })
})

describe('adapters joined', () => {
  it('are, on the base, what merging one after the other gave', async () => {
    const config = await writeSmallModel(join(folder, 'base'), {
      hidden_size: 32,
      intermediate_size: 48,
      num_hidden_layers: 2,
    })
    const adapters = ['first', 'second'].map((name) => join(folder, name))
    const shapes = [
      { rank: 4, alpha: 8, targetModules: ['q_proj', 'v_proj', 'down_proj'] },
      { rank: 6, alpha: 9, rankStabilised: true, targetModules: ['v_proj', 'o_proj'] },
    ]
    await writeSmallAdapter(adapters[0]!, config, shapes[0], 2)
    await writeSmallAdapter(adapters[1]!, config, shapes[1], 3)
    await mergeAdapter(join(folder, 'base'), adapters[0]!, join(folder, 'once'))
    await mergeAdapter(join(folder, 'once'), adapters[1]!, join(folder, 'twice'))
    await writeJoinedAdapter(adapters, 'the base', join(folder, 'joined'))
    await mergeAdapter(join(folder, 'base'), join(folder, 'joined'), join(folder, 'together'))
    const [twice, together] = [await openWeights(join(folder, 'twice')), await openWeights(join(folder, 'together'))]
    let largest = 0
    let moved = 0
    const base = await openWeights(join(folder, 'base'))
    for (const [name, tensor] of twice.tensors) {
      const [one, other] = [await readTensor(tensor), await readTensor(together.tensors.get(name)!)]
      const before = await readTensor(base.tensors.get(name)!)
      one.forEach((value, i) => {
        largest = Math.max(largest, Math.abs(value - other[i]!))
        moved = Math.max(moved, Math.abs(value - before[i]!))
      })
    }
    expect(moved).toBeGreaterThan(0.1)
    expect(largest).toBeLessThan(1e-6)
    expect(await checkAdapter(join(folder, 'joined'))).toEqual([])
    expect(await checkAdapter(adapters[0]!)).toMatchObject([{ name: 'refused-adapter' }])
    expect(await checkAdapter(join(folder, 'joined'), 2)).toMatchObject([{ name: 'another-base' }])
  })
})

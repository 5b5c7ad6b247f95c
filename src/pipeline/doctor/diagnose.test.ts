import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { writeWorld } from '../../miniature/write-world.ts'
import { loadRecipe } from '../../recipe/recipe.ts'
import { diagnose } from './diagnose.ts'
import type { RunEstimate } from './estimate.ts'
import type { Finding } from './finding.ts'

let world: string
let folder: string

beforeAll(async () => {
  world = await mkdtemp(join(tmpdir(), 'meikai-doctor-world-'))
  const sizes = { baseDocuments: 200, pretrainDocuments: 200 }
  await writeWorld(join(world, 'w'), { seed: 1, explainedShare: 0.1, ...sizes })
})

beforeEach(async () => {
  folder = join(world, `case-${Math.floor(performance.now() * 1000)}`)
  await cp(join(world, 'w'), folder, { recursive: true })
})

afterAll(() => rm(world, { recursive: true }))

const wholeRecipe = {
  name: 'checked',
  threads: 1,
  model: { folder: 'model' },
  corpus: { texts: [{ path: 'pretrain/medicine.jsonl' }] },
  pretrain: { epochs: 1, batchTokens: 2048 },
  exam: {
    preference: { path: 'exam/preference.jsonl', items: 10 },
    test: { path: 'exam/test.jsonl', items: 20 },
    answerForm: 'option-text',
  },
  sample: { maxTokens: 64 },
  examine: { answerTokens: 8, explainTokens: 64 },
}

async function examine(
  recipe: object = wholeRecipe,
): Promise<{ findings: Finding[]; estimate: RunEstimate | undefined }> {
  const file = join(folder, 'recipe.yaml')
  await writeFile(file, stringify(recipe))
  const findings: Finding[] = []
  const running = diagnose(await loadRecipe(file), join(folder, 'runs'))
  for (;;) {
    const { done, value } = await running.next()
    if (done) return { findings, estimate: value }
    findings.push(value)
  }
}

function messages(findings: Finding[], severity: Finding['severity']): string[] {
  return findings.filter((finding) => finding.severity === severity).map(({ message }) => message)
}

test('a whole recipe has nothing to mend, and an estimate of every stage that takes time', async () => {
  const { findings, estimate } = await examine()
  expect(messages(findings, 'error')).toEqual([])
  expect(messages(findings, 'warning')).toEqual([expect.stringContaining('no weights')])
  expect(estimate?.stages.map(({ id }) => id)).toEqual([
    'pretrain',
    'probe-pretrain',
    'sample-cpt',
    'prefer-cpt+rpo',
    'probe-prefer-cpt+rpo',
    'examine-base',
    'examine-cpt',
    'examine-cpt+rpo',
  ])
  for (const { seconds } of estimate!.stages) expect(seconds).toBeGreaterThan(0)
  expect(estimate!.bytes).toBeGreaterThan(1e8)
})

test('texts that are served take what the cards of their server take, shown', async () => {
  const served = (gpus: number) => ({
    ...wholeRecipe,
    report: { probeQuestions: 0 },
    sampler: { kind: 'server', dialect: 'vllm', start: { command: 'serve', gpus, concurrency: 8 } },
  })
  const secondsOf = (estimate: RunEstimate | undefined, wanted: string) =>
    estimate?.stages.find(({ id }) => id === wanted)?.seconds ?? Number.NaN
  const one = await examine(served(1))
  const four = await examine(served(4))
  expect(secondsOf(one.estimate, 'sample-cpt') / secondsOf(four.estimate, 'sample-cpt')).toBeCloseTo(4, 3)
  const shown = one.findings.filter(({ subject }) => subject === 'time').map(({ message }) => message)
  expect(shown[0]).toMatch(/^sample-cpt: .* prompt tokens x 2 x 1\.\d M weights \/ \(1 x 312 TFLOP\/s x 30 %\) \+ /)
  // Where no card is known: 30 outputs a question of 64 tokens, at 8 x 30 tokens a second.
  const slow = await examine(served(0))
  expect(secondsOf(slow.estimate, 'sample-cpt')).toBeCloseTo((10 * 30 * 64) / (8 * 30), 6)
})

test('time follows the work: ten times the passes take about ten times as long', async () => {
  // Measured in examinations of the same run: the machine's rate, which varies, falls out.
  const cost = async (epochs: number) => {
    const { estimate } = await examine({ ...wholeRecipe, pretrain: { epochs, batchTokens: 2048 } })
    const seconds = new Map(estimate!.stages.map((stage) => [stage.id, stage.seconds]))
    return seconds.get('pretrain')! / seconds.get('examine-base')!
  }
  const ratio = (await cost(10_000)) / (await cost(1000))
  expect(ratio).toBeGreaterThan(9.8)
  expect(ratio).toBeLessThan(10.2)
})

test('likely personal identifiers are told by kind and place, and never printed', async () => {
  await writeFile(join(folder, 'notes.txt'), '記録\n氏名:山田太郎\n電話 090-1234-5678\n')
  await writeFile(join(folder, 'notes.jsonl'), '{"text":"なし"}\n{"text":"一行目\\n連絡先 090-8765-4321"}\n')
  const texts = [{ path: 'notes.txt' }, { path: 'notes.jsonl' }]
  const { findings } = await examine({ ...wholeRecipe, corpus: { texts } })
  const warnings = messages(findings, 'warning').filter((message) => message.includes('personal'))
  expect(warnings).toEqual([
    expect.stringMatching(/^corpus\.texts\.0\.path: .*name in notes\.txt:2\./),
    expect.stringMatching(/^corpus\.texts\.0\.path: .*telephone number in notes\.txt:3\./),
    expect.stringMatching(/^corpus\.texts\.1\.path: .*telephone number in notes\.jsonl:2\./),
  ])
  expect(JSON.stringify(findings)).not.toMatch(/山田|5678|4321/)
})

test('what is quantised twice is told', async () => {
  const nf4 = { pretrain: { ...wholeRecipe.pretrain, base: 'nf4' }, prefer: { base: 'nf4' } }
  const told = async (recipe: object) => messages((await examine(recipe)).findings, 'warning')
  const twice = expect.stringMatching(/recipe\.yaml:\d+: prefer\.base: nf4 quantises what pretraining on nf4 learnt/)
  expect(await told({ ...wholeRecipe, ...nf4 })).toContainEqual(twice)
  expect(await told({ ...wholeRecipe, ...nf4, prefer: {} })).not.toContainEqual(twice)
})

test('test questions that stand in another part are told', async () => {
  await cp(join(folder, 'exam/test.jsonl'), join(folder, 'exam/preference.jsonl'))
  const exam = { ...wholeRecipe.exam, preference: { path: 'exam/preference.jsonl' }, test: { path: 'exam/test.jsonl' } }
  const { findings } = await examine({ ...wholeRecipe, exam })
  expect(messages(findings, 'warning')).toContainEqual(
    expect.stringMatching(/^exam\.preference: 252 questions are in exam\.test too/),
  )
})

test('prompts that leave no room for the output are told', async () => {
  const { findings } = await examine({ ...wholeRecipe, examine: { explainTokens: 250 } })
  expect(messages(findings, 'warning')).toContainEqual(
    expect.stringMatching(/the longest question to explain leaves \d+ tokens .* not 250/),
  )
})

test('prompts longer than the context are errors', async () => {
  await changeModel({ max_position_embeddings: 32 })
  const { findings } = await examine()
  expect(messages(findings, 'error')).toEqual([
    expect.stringMatching(/the longest question to answer has \d+ tokens; the model's context is 32/),
    expect.stringMatching(/the longest question to explain has \d+ tokens; the model's context is 32/),
  ])
})

test.each<[string, () => Promise<unknown>, RegExp]>([
  [
    'a missing text',
    () => rm(join(folder, 'pretrain/medicine.jsonl')),
    /recipe\.yaml:\d+: corpus\.texts\.0\.path: .*medicine\.jsonl: no such file/,
  ],
  [
    'a broken line',
    () => writeFile(join(folder, 'pretrain/medicine.jsonl'), '{"text": "a"}\n{"text": '),
    /medicine\.jsonl:2: not valid JSON/,
  ],
  ['an item without gold', () => dropGold(3), /recipe\.yaml:\d+: exam\.test: .*test\.jsonl:3: /],
  [
    'a missing tokenizer',
    () => rm(join(folder, 'model/tokenizer.json')),
    /model\.folder: .*tokenizer\.json: no such file/,
  ],
  [
    'a model too small for its tokenizer',
    () => changeModel({ vocab_size: 1000 }),
    /the tokenizer has 1,\d+ tokens, the model only 1,000/,
  ],
])('%s is an error that says where', async (_, spoil, expected) => {
  await spoil()
  const { findings, estimate } = await examine()
  expect(messages(findings, 'error')).toEqual([expect.stringMatching(expected)])
  expect(estimate).toBeUndefined()
})

async function dropGold(line: number): Promise<void> {
  const file = join(folder, 'exam/test.jsonl')
  const lines = (await readFile(file, 'utf8')).split('\n')
  const { gold: _, ...item } = JSON.parse(lines[line - 1]!)
  lines[line - 1] = JSON.stringify(item)
  await writeFile(file, lines.join('\n'))
}

async function changeModel(change: object): Promise<void> {
  const file = join(folder, 'model/config.json')
  await writeFile(file, JSON.stringify({ ...JSON.parse(await readFile(file, 'utf8')), ...change }))
}

// The recipe: defaults, paths, what one setting asks of another, and its reference.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: recipes write environment variables so.
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, expect, it } from 'vitest'
import { loadRecipe } from './recipe.ts'
import { writeExample, writeReference } from './reference.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'recipe-'))
})

const smallest = `name: small
model: {folder: model}
corpus: {texts: [{path: texts}]}
exam: {preference: {path: p.jsonl}, test: {path: t.jsonl}}
`

const load = async (text: string, overrides: string[] = [], environment: Record<string, string> = {}) => {
  const file = join(folder, 'recipe.yaml')
  await writeFile(file, text)
  return (await loadRecipe(file, { overrides, environment })).recipe
}

it('fills in what was left out', async () => {
  const recipe = await load(smallest)
  expect(recipe.variants).toEqual(['base', 'cpt', 'cpt+rpo'])
  expect(recipe.threads).toBeGreaterThan(0)
  expect(recipe.prefer).toMatchObject({ beta: 0.1, nllWeight: 1, rounds: 1, method: 'lora' })
  expect(recipe.sample).toMatchObject({ samples: 30, temperature: [0.8] })
})

it.each([
  ['texts', {}, 'FOLDER/texts'],
  ['../texts/*.txt', {}, 'PARENT/texts/*.txt'],
  ['/data/texts', {}, '/data/texts'],
  ['${DATA}/a', { DATA: '/d' }, '/d/a'],
  ['${DATA:-other}/a', {}, 'FOLDER/other/a'],
  ['${DATA:-other}/a', { DATA: '/d' }, '/d/a'],
  ['${DATA:-other}/a', { DATA: '' }, 'FOLDER/other/a'],
  ['miniature:cpt.jsonl', {}, 'miniature:cpt.jsonl'],
])('reads the path %s with %j as %s', async (path, environment, expected) => {
  const recipe = await load(smallest.replace('path: texts', `path: "${path}"`), [], environment)
  const parent = join(folder, '..')
  expect(recipe.corpus.texts[0]?.path).toBe(expected.replace('FOLDER', folder).replace('PARENT', parent))
  expect(recipe.written).toMatchObject({ corpus: { texts: [{ path }] } })
})

it.each([
  ['igakuqa', 'igakuqa'],
  ['exams/mine.yaml', 'FOLDER/exams/mine.yaml'],
])("takes an exam's description %s as %s", async (written, expected) => {
  const recipe = await load(smallest, [`exam.test.description=${written}`])
  expect(recipe.exam.test.description).toBe(expected.replace('FOLDER', folder))
})

it('leaves text that is no path alone', async () => {
  expect((await load(smallest, ['model.licence=${NOTHING}'])).model.licence).toBe('${NOTHING}')
})

it.each([
  [
    [],
    smallest.replace('model}', '"${NOWHERE}/model"}'),
    'recipe.yaml:2: model.folder: the environment variable NOWHERE is not set',
  ],
  [['variants=[cpt,cpt]'], smallest, 'variants.1: cpt stands twice'],
  [['examine.ways=[answer,answer]'], smallest, 'examine.ways.1: answer stands twice'],
  [['pretrain.modules=[q_prj]'], smallest, 'pretrain.modules.0: must be one of q_proj, k_proj'],
  [['prefer.adamBeta2=1'], smallest, 'prefer.adamBeta2: must be less than 1, not 1'],
  [['corpus.texts=[]'], smallest, 'corpus: has no texts'],
  [['corpus.pastExam.answered=1'], smallest, 'corpus.pastExam: prints exam.past'],
  [['pretrain.keep=best', 'corpus.heldOutShare=0'], smallest, 'pretrain.keep: best needs held-out texts'],
  [['prefer.keep=best', 'pair.heldOutShare=0'], smallest, 'prefer.keep: best needs held-out pairs'],
  [['corpus.sequenceTokens=4096'], smallest, 'pretrain.batchTokens: must hold a row'],
  [[], smallest.replace('preference: {path: p.jsonl}, ', ''), 'recipe.yaml:4: exam: has no preference items'],
  [['engine={kind: cluster, nodes: 2}'], smallest, 'engine.nodes: 2, but place: here is one machine'],
  [
    ['sampler.kind=server', 'sampler.endpoints=[{url: "http://127.0.0.1:1/v1"}]', 'sampler.precision=int8'],
    smallest,
    'sampler.precision: is for kind: embedded',
  ],
  [['name=a/b'], smallest, 'name: must be letters'],
  [['sampler={kind: server}'], smallest, 'sampler.endpoints: is empty'],
  [['sampler.start={}'], smallest, 'sampler.start: starts a server in place of endpoints'],
  [['sampler={kind: server, start: {}}'], smallest, 'sampler.dialect: must be vllm where vLLM is started'],
  [
    ['sampler={kind: server, dialect: vllm, adapters: true, start: {}}', 'pretrain.base=nf4'],
    smallest,
    'sampler.adapters: would be put on weights that they were not learnt on',
  ],
  [['prefer.base=int8', 'prefer.method=full'], smallest, 'prefer.base: int8 holds frozen weights'],
  [['pretrain.base=int8', 'engine.kind=cluster'], smallest, 'pretrain.base: int8 is held by the embedded engine alone'],
])('rejects %j', async (overrides, text, message) => {
  await expect(load(text, overrides)).rejects.toThrow(message)
})

it('needs no preference items where nothing prefers', async () => {
  await expect(
    load(smallest.replace('preference: {path: p.jsonl}, ', ''), ['variants=[base,cpt]']),
  ).resolves.toBeDefined()
})

it('gives every setting a help text', () => {
  expect(writeReference()).not.toMatch(/\| *\|$/m)
})

it('has a current reference in docs/recipe.md', async () => {
  await expect(writeReference()).toMatchFileSnapshot('../../docs/recipe.md')
})

it('has an example that is a recipe with every default', async () => {
  const example = await load(writeExample())
  const bare = await load(smallest)
  const { name, model, corpus, exam, written, ...rest } = example
  const { name: _, model: __, corpus: ___, exam: ____, written: _____, ...expected } = bare
  expect({ name, model, texts: corpus.texts.length, test: exam.test.path }).toEqual({
    name: 'my-run',
    model: { folder: join(folder, 'models/my-model') },
    texts: 1,
    test: join(folder, 'exam/test.jsonl'),
  })
  expect(rest).toEqual(expected)
})

it('has an example whose commented settings are valid too', async () => {
  const uncommented = writeExample().replace(/^( *)# (\w+: [^#\n]*\S) +# /gm, '$1$2  # ')
  expect((await load(uncommented)).exam.answerForm).toBe('letter')
})

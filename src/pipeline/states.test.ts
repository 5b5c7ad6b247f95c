// How far a run is whose model, texts and exams are on another machine.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { loadRecipe } from '../recipe/recipe.ts'
import { plainManifest } from '../runs/manifest.fixture.ts'
import { writeManifest } from '../runs/manifest.ts'
import { expandStages } from './expand.ts'
import { findStates } from './states.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meikai-states-'))
})
afterEach(() => rm(folder, { recursive: true }))

it('knows what is done, and what a changed setting undoes, without what stages read', async () => {
  const file = join(import.meta.dirname, '../../recipes/preferred-medllm-qwen-72b.yaml')
  const environment = { MEIKAI_SHARED: join(folder, 'nothing'), MEDICAL_CORPUS: join(folder, 'nothing') }
  const { recipe } = await loadRecipe(file, { environment })
  const { stages } = expandStages(recipe, true)
  const made = ['download', 'exam-past', 'exam-preference', 'exam-test']
  for (const { id, title, settings } of stages.filter((stage) => made.includes(stage.id))) {
    await writeManifest(join(folder, recipe.name, id), {
      ...plainManifest,
      stage: id,
      title,
      settings: JSON.parse(JSON.stringify(settings)),
      inputs: { 'exam.any': 'a hash of what is elsewhere' },
    })
  }
  const states = await findStates(recipe, folder)
  expect([...states.keys()]).toEqual(stages.map(({ id }) => id))
  expect([...states].flatMap(([id, state]) => (state === 'done' ? [id] : []))).toEqual(made)
  expect(states.get('pretrain')).toBe('new')

  const { recipe: other } = await loadRecipe(file, { environment, overrides: ['exam.test.years=[2021]'] })
  expect((await findStates(other, folder)).get('exam-test')).toBe('changed')
})

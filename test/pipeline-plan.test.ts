// Planning: which stages a recipe expands into, what they share, and what a changed setting runs again.
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { expandStages } from '../src/pipeline/expand.ts'
import { type Inspection, inspectStage } from '../src/pipeline/plan.ts'
import { loadRecipe, type Recipe } from '../src/recipe/recipe.ts'
import { describeOutputs, writeManifest } from '../src/runs/manifest.ts'

const text = `name: plan
threads: 1
model: {folder: model}
corpus: {texts: [{path: texts.txt}]}
exam: {preference: {path: p.jsonl}, test: {path: t.jsonl}}
report: {probeQuestions: 0}
`

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'plan-'))
  await writeFile(join(folder, 'recipe.yaml'), text)
})

const load = async (...overrides: string[]): Promise<Recipe> =>
  (await loadRecipe(join(folder, 'recipe.yaml'), { overrides })).recipe

const expand = async (overrides: string[], hasWeights = true) => expandStages(await load(...overrides), hasWeights)

describe('stages', () => {
  it.each([
    [['variants=[base]'], 'exam-preference exam-test examine-base report'],
    [['variants=[cpt]'], 'exam-preference exam-test corpus pretrain examine-cpt report'],
    [['variants=[rpo]'], 'exam-preference exam-test sample-base pair-base prefer-rpo examine-rpo report'],
    [
      ['variants=[base,cpt,cpt+rpo,cpt+dpo,cpt+winners,rpo]'],
      'exam-preference exam-test corpus pretrain sample-cpt pair-cpt prefer-cpt+rpo prefer-cpt+dpo prefer-cpt+winners ' +
        'sample-base pair-base prefer-rpo examine-base examine-cpt examine-cpt+rpo examine-cpt+dpo examine-cpt+winners examine-rpo report',
    ],
    [
      ['variants=[cpt+rpo,cpt+dpo]', 'prefer.rounds=2'],
      'exam-preference exam-test corpus pretrain sample-cpt pair-cpt prefer-cpt+rpo sample-cpt+rpo-2 pair-cpt+rpo-2 prefer-cpt+rpo-2 ' +
        'prefer-cpt+dpo sample-cpt+dpo-2 pair-cpt+dpo-2 prefer-cpt+dpo-2 examine-cpt+rpo examine-cpt+dpo report',
    ],
    [
      ['variants=[cpt]', 'report.probeQuestions=2', 'exam.past.path=past.jsonl', 'exam.shots.path=shots.jsonl'],
      'exam-past exam-preference exam-test exam-shots corpus pretrain probe-pretrain examine-cpt report',
    ],
  ])('of %j are %s', async (overrides, expected) => {
    expect((await expand(overrides)).stages.map(({ id }) => id).join(' ')).toBe(expected)
  })

  it('start from drawn weights and a foundation where the recipe says so', async () => {
    const overrides = [
      'variants=[base]',
      'foundation.corpus.texts=[{path: a.txt}]',
      'miniature.seed=1',
      'model.folder="miniature:model"',
    ]
    const { stages } = await expand(overrides, false)
    expect(stages.map(({ id }) => id).join(' ')).toBe(
      'miniature exam-preference exam-test initialise foundation-corpus foundation examine-base report',
    )
    expect(stages.find(({ id }) => id === 'initialise')?.dependencies).toEqual([
      { stage: 'miniature', path: 'world/model' },
    ])
  })

  it('come after what they depend on, and know the variants that stand on them', async () => {
    const { stages, variants } = await expand([
      'variants=[base,cpt,cpt+rpo,rpo]',
      'report.probeQuestions=1',
      'prefer.rounds=2',
    ])
    const seen = new Set<string>()
    for (const { id, dependencies } of stages) {
      for (const { stage } of dependencies) expect(seen, `${id} needs ${stage}`).toContain(stage)
      seen.add(id)
    }
    expect(Object.fromEntries(variants)).toMatchObject({
      pretrain: ['cpt', 'cpt+rpo'],
      'probe-pretrain': ['cpt', 'cpt+rpo'],
      'sample-cpt': ['cpt+rpo'],
      'prefer-rpo': ['rpo'],
      'examine-base': ['base'],
      report: ['base', 'cpt', 'cpt+rpo', 'rpo'],
    })
  })

  it('of later rounds start from the round before, and keep the reference that was asked for', async () => {
    for (const [rule, expected] of [
      ['previous-round', ['prefer-cpt+rpo', 'pair-cpt+rpo-2']],
      ['first', ['prefer-cpt+rpo', 'pretrain', 'pair-cpt+rpo-2']],
    ] as const) {
      const { stages } = await expand(['variants=[cpt+rpo]', 'prefer.rounds=2', `prefer.reference=${rule}`])
      const second = stages.find(({ id }) => id === 'prefer-cpt+rpo-2')
      expect([...new Set(second?.dependencies.map(({ stage }) => stage))]).toEqual(expected)
    }
  })

  it('sample at the temperature of their round', async () => {
    const { stages } = await expand(['variants=[cpt+rpo]', 'prefer.rounds=3', 'sample.temperature=[0.8,1.3]'])
    const temperatures = stages.filter(({ kind }) => kind === 'sample').map(({ settings }) => settings.sample)
    expect(temperatures).toMatchObject([{ temperature: 0.8 }, { temperature: 1.3 }, { temperature: 1.3 }])
  })
})

describe('a change', () => {
  /** Lets every stage of a recipe stand as done, then inspects it under other settings and inputs. */
  async function rerun(
    before: string[],
    after: string[],
    inputs: Record<string, string> = {},
  ): Promise<Map<string, Inspection>> {
    const run = await mkdtemp(join(tmpdir(), 'plan-run-'))
    const inspectAll = async (overrides: string[], hashes: Record<string, string>, finish: boolean) => {
      const found = new Map<string, Inspection>()
      for (const stage of (await expand(overrides)).stages) {
        const own = Object.fromEntries(Object.keys(stage.inputs).map((name) => [name, hashes[name] ?? 'same']))
        let inspection = await inspectStage(stage, join(run, stage.id), found, own)
        if (finish) {
          await mkdir(join(run, stage.id))
          await writeFile(join(run, stage.id, 'out'), stage.id)
          if (inspection.key === undefined) throw new Error(`${stage.id} has no key`)
          await writeManifest(join(run, stage.id), {
            stage: stage.id,
            title: stage.title,
            ...inspection.key,
            outputs: await describeOutputs(join(run, stage.id), ['out']),
            seed: 0,
            threads: 1,
            versions: {},
            sources: [],
            summary: '',
            seconds: 0,
          })
          inspection = await inspectStage(stage, join(run, stage.id), found, own)
        }
        found.set(stage.id, inspection)
      }
      return found
    }
    await inspectAll(before, {}, true)
    return inspectAll(after, inputs, false)
  }

  const all = ['variants=[base,cpt,cpt+rpo,cpt+dpo]', 'report.probeQuestions=1']
  const preferring = ['prefer-cpt+rpo', 'probe-prefer-cpt+rpo', 'examine-cpt+rpo']
  const preferringDpo = ['prefer-cpt+dpo', 'probe-prefer-cpt+dpo', 'examine-cpt+dpo']
  const pairing = ['pair-cpt', ...preferring, ...preferringDpo]
  const sampling = ['sample-cpt', ...pairing]
  const pretraining = ['pretrain', 'probe-pretrain', 'examine-cpt', ...sampling]
  const examining = ['base', 'cpt', 'cpt+rpo', 'cpt+dpo'].map((variant) => `examine-${variant}`)
  const probing = ['pretrain', 'prefer-cpt+rpo', 'prefer-cpt+dpo'].map((id) => `probe-${id}`)

  it.each<[string[], Record<string, string>, string[], string]>([
    [[], {}, [], ''],
    [['prefer.beta=0.2'], {}, [...preferring, ...preferringDpo], 'prefer.beta: 0.1 -> 0.2'],
    [['prefer.nllWeight=2'], {}, preferring, 'prefer.nllWeight: 1 -> 2'],
    [['pair.pairsPerQuestion=3'], {}, pairing, 'pair.pairsPerQuestion: 10 -> 3'],
    [['sample.temperature=[1]'], {}, sampling, 'sample.temperature: 0.8 -> 1'],
    [['pretrain.learningRate=0.5'], {}, pretraining, 'pretrain.learningRate: 0.0001 -> 0.5'],
    [['corpus.heldOutShare=0.5'], {}, ['corpus', ...pretraining], 'corpus.heldOutShare: 0.02 -> 0.5'],
    [['examine.explainTokens=9'], {}, [...examining, ...probing], 'examine.explainTokens: 512 -> 9'],
    [['examine.answerTokens=9'], {}, examining, 'examine.answerTokens: 16 -> 9'],
    [['sampler.precision=int8'], {}, [...new Set([...sampling, ...examining, ...probing])], ''],
    [['pretrain.checkpointEverySteps=7', 'pretrain.keepCheckpoints=3', 'sample.sequences=5'], {}, [], ''],
    [
      ['prefer.rounds=2', 'variants=[base,cpt,cpt+rpo]'],
      {},
      ['probe-prefer-cpt+rpo-2', 'prefer-cpt+rpo-2', 'sample-cpt+rpo-2', 'pair-cpt+rpo-2', 'examine-cpt+rpo'],
      '',
    ],
    [[], { 'corpus.texts.0.path': 'other' }, ['corpus', ...pretraining], 'corpus.texts.0.path: the file changed'],
    [
      [],
      { 'exam.preference.path': 'other' },
      ['exam-preference', 'corpus', ...pretraining],
      'exam.preference.path: the file changed',
    ],
  ])('of %j %j runs again exactly what depends on it', async (overrides, inputs, expected, reason) => {
    const found = await rerun(all, [...all, ...overrides], inputs)
    const again = [...found].filter(([id, { state }]) => state !== 'done' && id !== 'report').map(([id]) => id)
    expect(again.sort()).toEqual([...expected].sort())
    if (expected.length > 0) expect(found.get('report')?.state).toBe('changed')
    const reasons = [...found.values()].flatMap((inspection) => inspection.reasons)
    if (reason !== '') expect(reasons).toContain(reason)
  })
})

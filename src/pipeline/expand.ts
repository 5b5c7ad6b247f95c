// From a recipe to its stages: variants and rounds expand into instances, and what variants share stands there once.
import { hubPrefix } from '../recipe/paths.ts'
import type { Recipe, VariantName } from '../recipe/recipe.ts'
import type { ModelSource } from './models.ts'
import type { Stage, StageVariants } from './stage.ts'
import { corpusStage } from './stages/corpus.ts'
import { downloadedModel, downloadStage } from './stages/download.ts'
import { examStage } from './stages/exam.ts'
import { examineStage } from './stages/examine.ts'
import { initialiseStage } from './stages/initialise.ts'
import { miniatureStage } from './stages/miniature.ts'
import { pairStage } from './stages/pair.ts'
import { preferStage } from './stages/prefer.ts'
import { pretrainStage } from './stages/pretrain.ts'
import { probeStage } from './stages/probe.ts'
import { reportStage } from './stages/report.ts'
import { sampleStage } from './stages/sample.ts'

export interface ExpandedRun {
  /** In an order in which they can run. */
  stages: Stage[]
  variants: StageVariants
}

/** @param hasWeights whether the recipe's model has weights (initial ones are drawn where not). */
export function expandStages(recipe: Recipe, hasWeights: boolean): ExpandedRun {
  const stages = new Map<string, Stage>()
  const add = (stage: Stage): void => {
    if (!stages.has(stage.id)) stages.set(stage.id, stage)
  }
  const addTraining = ({ stage, model }: { stage: Stage; model: ModelSource }, start: ModelSource): ModelSource => {
    add(stage)
    if (recipe.report.probeQuestions > 0) add(probeStage(recipe, stage, start, model))
    return model
  }

  if (recipe.miniature !== undefined) add(miniatureStage(recipe))
  if (recipe.model.folder.startsWith(hubPrefix)) add(downloadStage(recipe))
  for (const part of ['past', 'preference', 'test', 'shots'] as const) {
    if (recipe.exam[part] !== undefined) add(examStage(recipe, part))
  }
  const base = addBase()
  const models = new Map<VariantName, ModelSource>()
  for (const variant of recipe.variants) models.set(variant, addVariant(variant))
  const examinations = [...models].map(([variant, model]) => examineStage(recipe, variant, model))
  for (const stage of examinations) add(stage)
  const built = [...stages.values()]
  const variants = findVariants(
    built,
    new Map(examinations.map((stage, i) => [stage.id, recipe.variants[i] as VariantName])),
  )
  const report = reportStage(recipe, built, variants)
  return { stages: [...built, report], variants: variants.set(report.id, [...recipe.variants]) }

  function addBase(): ModelSource {
    let model: ModelSource = { name: 'base', at: { folder: recipe.model.folder } }
    if (recipe.model.folder.startsWith(hubPrefix)) {
      model = { name: 'base', at: downloadedModel }
    } else if (!hasWeights) {
      const initial = initialiseStage(recipe)
      add(initial.stage)
      model = initial.model
    }
    if (recipe.foundation === undefined) return model
    add(corpusStage(recipe, 'foundation-corpus'))
    return addTraining(pretrainStage(recipe, 'foundation', model), model)
  }

  function addVariant(variant: VariantName): ModelSource {
    if (variant === 'base') return base
    if (variant === 'rpo') return addPreference(variant, base, 'rpo')
    add(corpusStage(recipe, 'corpus'))
    const pretrained = addTraining(pretrainStage(recipe, 'pretrain', base), base)
    if (variant === 'cpt') return pretrained
    return addPreference(variant, pretrained, variant.slice('cpt+'.length) as 'rpo' | 'dpo' | 'winners')
  }

  function addPreference(variant: VariantName, first: ModelSource, loss: 'rpo' | 'dpo' | 'winners'): ModelSource {
    let start = first
    for (let round = 1; round <= recipe.prefer.rounds; round++) {
      const sample = sampleStage(recipe, start, round)
      add(sample)
      const pair = pairStage(recipe, sample, start, round)
      add(pair)
      const reference = recipe.prefer.reference === 'first' ? first : start
      start = addTraining(preferStage(recipe, { variant, loss, round, start, reference, sample, pair }), start)
    }
    return start
  }
}

/** The variants whose examination stands on each stage. */
function findVariants(stages: readonly Stage[], examined: ReadonlyMap<string, VariantName>): StageVariants {
  const byId = new Map(stages.map((stage) => [stage.id, stage]))
  const found: StageVariants = new Map(stages.map((stage) => [stage.id, []]))
  const visit = (id: string, variant: VariantName): void => {
    const variants = found.get(id) ?? []
    if (variants.includes(variant)) return
    found.set(id, [...variants, variant])
    for (const { stage } of byId.get(id)?.dependencies ?? []) visit(stage, variant)
  }
  for (const [id, variant] of examined) visit(id, variant)
  for (const stage of stages.filter(({ kind }) => kind === 'probe')) {
    found.set(stage.id, found.get(stage.dependencies[0]?.stage ?? '') ?? [])
  }
  return found
}

// The recipe: everything that a run depends on, read from YAML against one strict schema.
import { availableParallelism } from 'node:os'
import { dirname, resolve } from 'node:path'
import { z } from 'zod'
import { type KeyPath, readDocument } from '../base/document.ts'
import { corpusSettings, examSettings, miniatureSettings, modelSettings } from './data-settings.ts'
import { engineSettings } from './engine-settings.ts'
import { resolvePaths } from './paths.ts'
import { samplerSettings } from './sampler-settings.ts'
import { count, countOrZero, setting } from './setting.ts'
import {
  examineSettings,
  nextTokenSettings,
  pairSettings,
  preferSettings,
  reportSettings,
  sampleSettings,
  variantNames,
} from './training-settings.ts'

export type { VariantName } from './training-settings.ts'

export const recipeSchema = z
  .strictObject({
    name: setting(
      z
        .string()
        .regex(/^[\p{L}\p{N}][\p{L}\p{N}._-]*$/u, 'must be letters, digits, dots, dashes (it names the run folder).'),
      'Name of the run; its folder is runs/<name>.',
      { example: 'my-run' },
    ),
    seed: setting(countOrZero().default(0), 'Fixes data order, initial weights, samples and choices.'),
    threads: setting(
      count().optional(),
      'Threads of computation; as many as the machine has when left out. Bits depend on it.',
    ),
    variants: setting(
      z.array(z.enum(variantNames)).min(1).default(['base', 'cpt', 'cpt+rpo']),
      'The models to compare. cpt: continued pretraining; rpo, dpo, winners: what follows it; rpo alone: without pretraining.',
    ),
    miniature: setting(
      miniatureSettings.optional(),
      "Generate the invented world of the quickstart first; paths then name its files as 'miniature:<file>'.",
    ),
    model: setting(
      modelSettings,
      'The model to start from; in short, `model: owner/name@revision` of the Hugging Face hub.',
    ),
    foundation: setting(
      z
        .strictObject({
          corpus: setting(corpusSettings, 'Texts of the base.'),
          pretrain: setting(nextTokenSettings('full').prefault({}), 'Its training.'),
        })
        .optional(),
      'Train the base model itself first, for a model folder without weights.',
    ),
    corpus: setting(corpusSettings.prefault({}), 'Texts of continued pretraining.'),
    pretrain: setting(nextTokenSettings('lora').prefault({}), 'Continued pretraining (CPT).'),
    exam: setting(examSettings, 'Examinations: past, for preference pairs, for the test.'),
    sample: setting(sampleSettings.prefault({}), "Sampling the model's own explanations of exam.preference."),
    pair: setting(pairSettings.prefault({}), 'Preference pairs from the explanations.'),
    prefer: setting(preferSettings.prefault({}), 'Preference training: RPO, DPO or winners only.'),
    examine: setting(examineSettings.prefault({}), 'Examining every variant, greedily.'),
    engine: setting(engineSettings.prefault({}), 'Where training runs.'),
    sampler: setting(samplerSettings.prefault({}), 'What writes text for sample, examine and probe stages.'),
    report: setting(reportSettings.prefault({}), 'The report.'),
  })
  .superRefine(checkRecipe)

export type RecipeSettings = z.output<typeof recipeSchema>

/** A recipe that is ready to run: defaults filled in, paths absolute (or 'miniature:<file>'). */
export interface Recipe extends RecipeSettings {
  threads: number
  /** The settings with defaults filled in and paths as they were written: the same on every machine. */
  written: Record<string, unknown>
}

export interface LoadedRecipe {
  recipe: Recipe
  /** The recipe's file, absolute. */
  file: string
  /** Where a setting stands, as 'file:line', for messages about it. */
  locate(path: KeyPath): string
}

/**
 * Reads a recipe.
 * @param overrides assignments 'a.b=value' over the file's settings.
 * @throws UserError naming file, line and key of everything that is wrong.
 */
export async function loadRecipe(
  file: string,
  options: { overrides?: readonly string[]; environment?: Record<string, string | undefined> } = {},
): Promise<LoadedRecipe> {
  const { value, locate } = await readDocument(file, recipeSchema, options.overrides)
  const written = structuredClone(value)
  resolvePaths(recipeSchema, value, {
    folder: dirname(resolve(file)),
    environment: options.environment ?? process.env,
    locate,
  })
  const threads = value.threads ?? availableParallelism()
  return { recipe: { ...value, threads, written }, file: resolve(file), locate }
}

const prefersAfterCpt = ['cpt+rpo', 'cpt+dpo', 'cpt+winners']

/** What one setting asks of another. */
function checkRecipe(recipe: z.output<z.ZodObject<typeof recipeSchema.shape>>, context: z.RefinementCtx): void {
  const reject = (path: (string | number)[], message: string) => context.addIssue({ code: 'custom', path, message })
  const { variants, corpus, exam } = recipe
  for (const [path, names] of [
    [['variants'], variants],
    [['examine', 'ways'], recipe.examine.ways],
  ] as [string[], string[]][]) {
    names.forEach((name, i) => {
      if (names.indexOf(name) !== i) reject([...path, i], `${name} stands twice.`)
    })
  }
  const pretrains = variants.some((name) => name === 'cpt' || prefersAfterCpt.includes(name))
  const prefers = variants.some((name) => name === 'rpo' || prefersAfterCpt.includes(name))
  if (
    pretrains &&
    corpus.texts.length === 0 &&
    corpus.pastExam.answered === undefined &&
    corpus.pastExam.explained === undefined
  ) {
    reject(['corpus'], 'has no texts, but a variant with cpt learns from them. Name some under corpus.texts.')
  }
  if (prefers && exam.preference === undefined) {
    reject(['exam'], 'has no preference items, but rpo, dpo and winners need them. Name some under exam.preference.')
  }
  for (const [path, settings] of [
    [['corpus'], corpus],
    [['foundation', 'corpus'], recipe.foundation?.corpus],
  ] as const) {
    const past = settings?.pastExam
    if (exam.past === undefined && (past?.answered !== undefined || past?.explained !== undefined)) {
      reject([...path, 'pastExam'], 'prints exam.past, which is missing.')
    }
  }
  const { sampler } = recipe
  if (sampler.kind === 'server' && sampler.endpoints.length === 0 && sampler.start === undefined) {
    reject(['sampler', 'endpoints'], 'is empty, but a server is at some address. Give at least one url, or start one.')
  }
  if (sampler.kind === 'server' && sampler.precision !== 'float32') {
    reject(['sampler', 'precision'], 'is for kind: embedded; a server computes as it was started. Leave it out.')
  }
  if (sampler.start !== undefined && (sampler.kind !== 'server' || sampler.endpoints.length > 0)) {
    reject(['sampler', 'start'], 'starts a server in place of endpoints. Set kind: server, and leave endpoints out.')
  }
  if (sampler.start !== undefined && sampler.start.command === undefined && sampler.dialect !== 'vllm') {
    reject(['sampler', 'dialect'], 'must be vllm where vLLM is started.')
  }
  if (sampler.adapters && recipe.pretrain.base !== 'float32') {
    reject(
      ['sampler', 'adapters'],
      `would be put on weights that they were not learnt on, as pretrain.base: ${recipe.pretrain.base} learns on others. Leave it out: the merged model is served.`,
    )
  }
  if (sampler.kind === 'server' && sampler.dialect !== 'vllm') {
    if (sampler.adapters)
      reject(['sampler', 'adapters'], 'are loaded by vLLM alone. Set dialect: vllm, or leave it out.')
    if (recipe.sample.topK > 0) reject(['sample', 'topK'], 'is understood by dialect vllm alone. Use topP.')
  }
  if (recipe.pretrain.keep === 'best' && corpus.heldOutShare === 0) {
    reject(['pretrain', 'keep'], 'best needs held-out texts: set corpus.heldOutShare above 0.')
  }
  if (recipe.prefer.keep === 'best' && recipe.pair.heldOutShare === 0) {
    reject(['prefer', 'keep'], 'best needs held-out pairs: set pair.heldOutShare above 0.')
  }
  for (const [path, { base, method }] of [
    [['pretrain'], recipe.pretrain],
    [['prefer'], recipe.prefer],
    ...(recipe.foundation === undefined ? [] : [[['foundation', 'pretrain'], recipe.foundation.pretrain] as const]),
  ] as const) {
    if (base !== 'float32' && method === 'full')
      reject([...path, 'base'], `${base} holds frozen weights. Set method: lora.`)
    if (base === 'int8' && recipe.engine.kind === 'cluster') {
      reject([...path, 'base'], 'int8 is held by the embedded engine alone. Set nf4 or float32.')
    }
  }
  const { kind, nodes, place } = recipe.engine
  if (kind === 'cluster' && place === 'here' && nodes > 1) {
    reject(['engine', 'nodes'], `${nodes}, but place: here is one machine. Set engine.place: slurm, or nodes: 1.`)
  }
  if (corpus.sequenceTokens > recipe.pretrain.batchTokens) {
    reject(['pretrain', 'batchTokens'], `must hold a row of corpus.sequenceTokens (${corpus.sequenceTokens}).`)
  }
}

// What a run will take on this machine, stage by stage: the engine's and the sampler's own estimates, scaled by how fast
// the machine multiplies matrices. Upper bounds: every output is taken to be as long as it may be.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { writeJsonLines } from '../../base/files.ts'
import type { PairRow, TokenRow } from '../../data/records.ts'
import { estimateTraining } from '../../engine/embedded/estimate.ts'
import type { Estimate } from '../../engine/engine.ts'
import type { ModelConfig } from '../../model/config.ts'
import type { Recipe } from '../../recipe/recipe.ts'
import { estimateSampling } from '../../sampler/embedded/estimate.ts'
import type { Stage } from '../stage.ts'
import { heldAs, jobSettings } from '../training.ts'

/** What is known of a recipe's inputs. */
export interface RunSizes {
  recipe: Recipe
  config: ModelConfig
  /** Where it is, or will be. */
  modelFolder: string
  stages: readonly Stage[]
  /** Tokens of one pass over the texts. */
  corpusTokens: number
  foundationTokens: number
  /** Prompts as tokens. */
  preferencePrompts: number[][]
  testPrompts: { answer: number[][]; explain: number[][] }
}

export interface RunEstimate {
  /** Stages that take time worth telling. */
  stages: { id: string; seconds: number }[]
  seconds: number
  /** Of the largest stage, at its height. */
  bytes: number
  /** Trainings whose layers are computed again in the backward pass, or could be: what each way takes. */
  recompute: { id: string; ways: NonNullable<Estimate['recompute']> }[]
}

/** The matrix rate of a thread for which the estimates of engine and sampler hold, in operations a second. */
const referenceRate = 230e9
/** Rows written for the engine to look at: enough for the steps that it samples. */
const sampledSteps = 20

/** What the times of engine and sampler are multiplied with on a machine of this matrix rate. */
export const scaleTime = (threads: number, matrixRate: number): number => (referenceRate * threads) / matrixRate

/** @param matrixRate of the machine with the recipe's threads, operations a second. */
export async function estimateRun(sizes: RunSizes, matrixRate: number): Promise<RunEstimate> {
  const scale = scaleTime(sizes.recipe.threads, matrixRate)
  const folder = await mkdtemp(join(tmpdir(), 'meikai-estimate-'))
  try {
    const stages: { id: string; seconds: number; bytes: number }[] = []
    const recompute: RunEstimate['recompute'] = []
    for (const stage of sizes.stages) {
      const estimates = await estimateStage(sizes, stage, folder)
      if (estimates.length === 0) continue
      stages.push({
        id: stage.id,
        seconds: scale * estimates.reduce((sum, { seconds }) => sum + seconds, 0),
        bytes: Math.max(...estimates.map(({ bytes }) => bytes)),
      })
      for (const { recompute: ways } of estimates) {
        if (ways === undefined) continue
        const { none, layers } = ways
        recompute.push({
          id: stage.id,
          ways: {
            none: { ...none, seconds: scale * none.seconds },
            layers: { ...layers, seconds: scale * layers.seconds },
          },
        })
      }
    }
    return {
      stages: stages.map(({ id, seconds }) => ({ id, seconds })),
      seconds: stages.reduce((sum, { seconds }) => sum + seconds, 0),
      bytes: Math.max(0, ...stages.map(({ bytes }) => bytes)),
      recompute,
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function estimateStage(sizes: RunSizes, { kind, id }: Stage, folder: string): Promise<Estimate[]> {
  const { recipe, testPrompts } = sizes
  switch (kind) {
    case 'pretrain':
      return [await estimatePretrain(sizes, id === 'foundation', folder)]
    case 'prefer':
      return [await estimatePrefer(sizes, folder)]
    case 'sample':
      return [
        sampling(
          sizes,
          sizes.preferencePrompts,
          recipe.sample.samples,
          recipe.sample.maxTokens,
          recipe.sample.sequences,
        ),
      ]
    case 'examine':
      return recipe.examine.ways.map((way) => {
        const most = way === 'answer' ? recipe.examine.answerTokens : recipe.examine.explainTokens
        return sampling(sizes, testPrompts[way], 1, most, recipe.examine.sequences)
      })
    case 'probe': {
      const questions = testPrompts.explain.slice(0, recipe.report.probeQuestions)
      const once = sampling(sizes, questions, 1, recipe.examine.explainTokens, questions.length)
      return [{ ...once, seconds: once.seconds * recipe.report.probeSnapshots }]
    }
    default:
      return []
  }
}

function sampling(
  { config, recipe }: RunSizes,
  prompts: number[][],
  samples: number,
  maxTokens: number,
  sequences: number,
): Estimate {
  const requests = prompts.map((prompt, i) => ({ id: String(i), prompt, samples }))
  const settings = { maxTokens, temperature: 0, topP: 1, topK: 0, stopTokens: [], stopStrings: [], seed: 0 }
  return estimateSampling(config, requests, settings, {
    threads: recipe.threads,
    sequences,
    precision: recipe.sampler.precision,
  })
}

async function estimatePretrain(sizes: RunSizes, isFoundation: boolean, folder: string): Promise<Estimate> {
  const { recipe, config, corpusTokens, foundationTokens } = sizes
  const foundation = isFoundation ? recipe.foundation : undefined
  const { batchTokens, ...settings } = foundation?.pretrain ?? recipe.pretrain
  const rowTokens = Math.min((foundation?.corpus ?? recipe.corpus).sequenceTokens, config.contextTokens)
  const stepTokens = batchTokens * settings.accumulate
  const total = foundation === undefined ? corpusTokens : foundationTokens
  const rows = Array.from({ length: sampledSteps * Math.ceil(stepTokens / rowTokens) }, (_, i): TokenRow => {
    return { id: String(i), source: '', tokens: new Array(rowTokens).fill(0), lossFrom: 1 }
  })
  const steps = settings.steps ?? Math.max(1, Math.ceil((settings.epochs * total) / stepTokens))
  const job = {
    ...(await prepareJob(sizes, { ...settings, steps }, folder, rows)),
    objective: { kind: 'next-token' as const },
    batch: { tokens: batchTokens, sequenceTokens: rowTokens },
  }
  return estimateTraining(job, config)
}

async function estimatePrefer(sizes: RunSizes, folder: string): Promise<Estimate> {
  const { recipe, config, modelFolder } = sizes
  const { rounds: _, reference: __, beta, nllWeight, ...settings } = recipe.prefer
  // Longer pairs are dropped before the training.
  const mostTokens = Math.min(recipe.pair.maxTokens, config.contextTokens)
  const prompts = sizes.preferencePrompts.filter(({ length }) => length < mostTokens)
  const pairs = prompts.length * recipe.pair.pairsPerQuestion
  const rows = Array.from({ length: Math.min(pairs, sampledSteps * settings.pairsPerStep) }, (_, i): PairRow => {
    const promptTokens = prompts[i % prompts.length] ?? []
    const response = new Array(Math.min(recipe.sample.maxTokens, mostTokens - promptTokens.length)).fill(0)
    const question = String(i % prompts.length)
    return { id: String(i), question, promptTokens, chosenTokens: response, rejectedTokens: response }
  })
  const steps = settings.steps ?? Math.max(1, Math.ceil((settings.epochs * pairs) / settings.pairsPerStep))
  const reference = { folder: modelFolder }
  const job = {
    ...(await prepareJob(sizes, { ...settings, steps }, folder, rows)),
    objective: { kind: 'preference' as const, loss: 'rpo' as const, beta, alpha: nllWeight, reference },
    batch: { pairs: settings.pairsPerStep, maxTokens: recipe.pair.maxTokens },
  }
  return estimateTraining(job, config)
}

/** The part of a job that both trainings share, on rows written for the engine to look at. */
async function prepareJob(
  { recipe, modelFolder }: RunSizes,
  settings: Parameters<typeof jobSettings>[1],
  folder: string,
  rows: object[],
) {
  const trainingFile = join(folder, 'rows.jsonl')
  await writeJsonLines(trainingFile, rows)
  const files = { trainingFile, evaluationFiles: {}, outputFolder: folder, snapshotSteps: [] }
  return { ...jobSettings(recipe, settings), ...files, model: heldAs({ folder: modelFolder }, settings) }
}

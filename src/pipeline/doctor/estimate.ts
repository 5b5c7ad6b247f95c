// What a run will take, stage by stage: on this machine the engine's and the sampler's own estimates, scaled by how fast it
// multiplies matrices; where texts are served, the arithmetic of cards. Upper bounds: every output is taken to be as long as it may be.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { UserError } from '../../base/errors.ts'
import { writeJsonLines } from '../../base/files.ts'
import type { PairRow, TokenRow } from '../../data/records.ts'
import { estimateTraining } from '../../engine/embedded/estimate.ts'
import type { Estimate } from '../../engine/engine.ts'
import type { ModelConfig } from '../../model/config.ts'
import type { Recipe } from '../../recipe/recipe.ts'
import { estimateSampling } from '../../sampler/embedded/estimate.ts'
import { type ServedTime, servedTime } from '../serving-time.ts'
import type { Stage } from '../stage.ts'
import { startSettings } from '../tools.ts'
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
  /** Stages whose texts are served: how their time comes about. */
  served: { id: string; formula: string }[]
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
    const served: RunEstimate['served'] = []
    for (const stage of sizes.stages) {
      if (sizes.recipe.sampler.kind === 'server') {
        const times = listSamplings(sizes, stage).map((one) => estimateServed(sizes, one))
        if (times.length > 0) {
          stages.push({ id: stage.id, seconds: times.reduce((sum, { seconds }) => sum + seconds, 0), bytes: 0 })
          served.push({ id: stage.id, formula: times.map(({ formula }) => formula).join(' + ') })
          continue
        }
      }
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
      served,
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function estimateStage(sizes: RunSizes, { kind, id }: Stage, folder: string): Promise<Estimate[]> {
  if (kind === 'pretrain') return [await estimatePretrain(sizes, id === 'foundation', folder)]
  if (kind === 'prefer') return [await estimatePrefer(sizes, folder)]
  return listSamplings(sizes, { kind }).map((one) => estimateHere(sizes, one))
}

/** Texts that a stage has written, all with one model. */
interface Sampling {
  prompts: number[][]
  /** Of each prompt. */
  samples: number
  maxTokens: number
  sequences: number
  /** How often all of it is done. */
  times: number
}

function listSamplings(
  { recipe, preferencePrompts, testPrompts }: RunSizes,
  { kind }: Pick<Stage, 'kind'>,
): Sampling[] {
  const { sample, examine, report } = recipe
  switch (kind) {
    case 'sample': {
      const { samples, maxTokens, sequences } = sample
      return [{ prompts: preferencePrompts, samples, maxTokens, sequences, times: 1 }]
    }
    case 'examine':
      return examine.ways.map((way) => {
        const maxTokens = way === 'answer' ? examine.answerTokens : examine.explainTokens
        return { prompts: testPrompts[way], samples: 1, maxTokens, sequences: examine.sequences, times: 1 }
      })
    case 'probe': {
      const prompts = testPrompts.explain.slice(0, report.probeQuestions)
      const own = { maxTokens: examine.explainTokens, sequences: prompts.length, times: report.probeSnapshots }
      return [{ prompts, samples: 1, ...own }]
    }
    default:
      return []
  }
}

function estimateServed({ recipe, config }: RunSizes, { prompts, samples, maxTokens, times }: Sampling): ServedTime {
  const outputs = prompts.length * samples * times
  const promptTokens = prompts.reduce((sum, { length }) => sum + length, 0) * samples * times
  if (outputs === 0) return { seconds: 0, gpus: 0, formula: 'nothing' }
  const time = servedTime(recipe, config, { count: outputs, promptTokens, maxTokens })
  if (time !== undefined) return time
  const { card } = recipe.engine
  throw new UserError(`sampler.start.gpus: the model does not fit ${startSettings(recipe).gpus} x ${card}. Take more.`)
}

/** @returns what the embedded sampler takes. */
function estimateHere(
  { config, recipe }: RunSizes,
  { prompts, samples, maxTokens, sequences, times }: Sampling,
): Estimate {
  const requests = prompts.map((prompt, i) => ({ id: String(i), prompt, samples }))
  const settings = { maxTokens, temperature: 0, topP: 1, topK: 0, stopTokens: [], stopStrings: [], seed: 0 }
  const { precision } = recipe.sampler
  const once = estimateSampling(config, requests, settings, { threads: recipe.threads, sequences, precision })
  return { ...once, seconds: once.seconds * times }
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

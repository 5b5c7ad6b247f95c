// The outlook of a run whose parts are elsewhere: what is absent here, and what each stage will take, from the sizes that the
// recipe states and the model's published shape. Upper bounds: every output and pair is taken to be as long as it may be.
import { formatBytes, formatDuration } from '../base/format.ts'
import { countPasses } from '../data/corpus-mixture.ts'
import { requireCard, settingsFor } from '../engine/cluster/choose.ts'
import { describeMemory, gpuMemory, type JobSize, totalBytes, trainingTime } from '../engine/cluster/memory.ts'
import type { ModelConfig } from '../model/config.ts'
import type { Recipe } from '../recipe/recipe.ts'
import { measureMatrixRate } from '../runtime/matrix-rate.ts'
import { type Absent, findAbsent, textBytes } from './absent.ts'
import { estimateRun } from './doctor/estimate.ts'
import { expandStages } from './expand.ts'
import { findModelShape } from './model-shape.ts'
import { servedTime } from './serving-time.ts'
import type { Stage } from './stage.ts'
import { clusterSettings, startSettings } from './tools.ts'
import { jobSettings } from './training.ts'

export interface OutlookStage {
  id: string
  title: string
  /** Where it runs, in words. */
  place: string
  /** Tokens that it trains on, reads or writes. */
  tokens?: number
  /** Of one GPU, at its height. */
  memoryBytes?: number
  /** The arithmetic of memory and time. */
  arithmetic?: string
  seconds?: number | undefined
  gpuHours?: number
}

export interface Outlook {
  /** Settings whose files are not on this machine. */
  absent: Absent[]
  stages: OutlookStage[]
  /** Questions that the arithmetic could not answer, and what to say in the recipe. */
  unknown: string[]
  /** Of what runs in this process, at its height. */
  hereBytes?: number
}

/** Tokens a byte of text, where files are there but not read: Japanese in UTF-8 under Qwen2.5's tokenizer. */
const tokensPerByte = 0.25
/** Tokens of a prompt with its worked examples, where questions are not there to be counted. */
const promptTokens = 1000

export async function outlook(recipe: Recipe, runsFolder: string): Promise<Outlook> {
  const unknown: string[] = []
  const config = await findModelShape(recipe, runsFolder)
  if (config === undefined) unknown.push(`model: the shape of ${recipe.model.folder} is not known here.`)
  const sizes = { recipe, config, corpusTokens: await countCorpus(recipe, unknown), items: countItems(recipe, unknown) }
  const { stages } = expandStages(recipe, true)
  const described = stages.map((stage) => describeStage(stage, sizes))
  const known = { absent: await findAbsent(recipe, runsFolder), unknown }
  const here = await estimateHere(sizes, stages)
  if (here === undefined) return { ...known, stages: described }
  const seconds = new Map(here.stages.map((one) => [one.id, one.seconds]))
  const timed = described.map((stage) => ({ seconds: seconds.get(stage.id), ...stage }))
  return { ...known, stages: timed, hereBytes: here.bytes }
}

/** What this process takes with an engine and a sampler of its own: the doctor's estimate, on sizes in place of texts. */
async function estimateHere({ recipe, config, corpusTokens, items }: Sizes, stages: Stage[]) {
  if (recipe.engine.kind === 'cluster' || recipe.sampler.kind === 'server') return undefined
  if (config === undefined || corpusTokens === undefined || recipe.foundation !== undefined) return undefined
  const prompts = (count = 0) => Array.from({ length: count }, () => new Array<number>(promptTokens).fill(0))
  const test = prompts(items.test)
  const sizes = {
    ...{ recipe, config, stages, corpusTokens, foundationTokens: 0, modelFolder: recipe.model.folder },
    preferencePrompts: prompts(items.preference),
    testPrompts: { answer: test, explain: test },
  }
  return estimateRun(sizes, await measureMatrixRate(recipe.threads))
}

/** Tokens of one pass over the texts. */
async function countCorpus({ corpus: { texts } }: Recipe, unknown: string[]): Promise<number | undefined> {
  const counts: { tokens: number }[] = []
  for (const [i, { path, expectedTokens }] of texts.entries()) {
    const bytes = expectedTokens === undefined ? await textBytes(path) : undefined
    const tokens = expectedTokens ?? (bytes === undefined ? undefined : bytes * tokensPerByte)
    if (tokens === undefined) unknown.push(`corpus.texts.${i}: not here; its expectedTokens would tell the time.`)
    else counts.push({ tokens })
  }
  if (counts.length < texts.length) return undefined
  const passes = countPasses(texts, counts)
  return counts.reduce((sum, { tokens }, i) => sum + tokens * (passes[i] ?? 1), 0)
}

type Items = Partial<Record<'preference' | 'test', number>>

function countItems({ exam }: Recipe, unknown: string[]): Items {
  const items: Items = {}
  for (const part of ['preference', 'test'] as const) {
    const source = exam[part]
    if (source === undefined) continue
    const count = source.items ?? source.expectedItems
    if (count === undefined) unknown.push(`exam.${part}: its expectedItems would tell the time.`)
    else items[part] = count
  }
  return items
}

interface Sizes {
  recipe: Recipe
  config: ModelConfig | undefined
  corpusTokens: number | undefined
  items: Items
}

function describeStage(stage: Stage, sizes: Sizes): OutlookStage {
  const { recipe, corpusTokens, items } = sizes
  const { id, title, kind } = stage
  const own = { id, title, place: 'this process' }
  const { sample, examine, pair, prefer, pretrain } = recipe
  switch (kind) {
    case 'pretrain': {
      const steps =
        pretrain.steps === undefined ? undefined : pretrain.steps * pretrain.batchTokens * pretrain.accumulate
      const tokens = steps ?? (corpusTokens === undefined ? undefined : corpusTokens * pretrain.epochs)
      return describeTraining(own, sizes, 'next-token', tokens)
    }
    case 'prefer': {
      const pairs =
        prefer.steps === undefined
          ? items.preference === undefined
            ? undefined
            : items.preference * pair.pairsPerQuestion * prefer.epochs
          : prefer.steps * prefer.pairsPerStep
      return describeTraining(own, sizes, 'preference', pairs === undefined ? undefined : pairs * 2 * pair.maxTokens)
    }
    case 'sample':
      return describeSampling(own, sizes, times(items.preference, sample.samples), sample.maxTokens)
    case 'examine': {
      const most = examine.ways.reduce(
        (sum, way) => sum + (way === 'answer' ? examine.answerTokens : examine.explainTokens),
        0,
      )
      return describeSampling(own, sizes, items.test, most)
    }
    case 'corpus':
      return corpusTokens === undefined ? own : { ...own, tokens: corpusTokens }
    default:
      return own
  }
}

const times = (count: number | undefined, factor: number) => (count === undefined ? undefined : count * factor)

function describeTraining(
  own: Pick<OutlookStage, 'id' | 'title' | 'place'>,
  { recipe, config }: Sizes,
  objective: JobSize['objective'],
  tokens: number | undefined,
): OutlookStage {
  const known = tokens === undefined ? own : { ...own, tokens }
  if (recipe.engine.kind !== 'cluster' || config === undefined) return known
  const settings = objective === 'preference' ? recipe.prefer : recipe.pretrain
  const { method } = jobSettings(recipe, settings)
  const rowTokens = objective === 'preference' ? recipe.pair.maxTokens : recipe.corpus.sequenceTokens
  const size: JobSize = {
    config,
    method,
    objective,
    rowTokens,
    secondModel: method.kind === 'full' && objective === 'preference',
  }
  const layout = settingsFor(clusterSettings(recipe), settings, size)
  const { nodes, processes, sharding, fourBit, recomputation } = layout
  const card = requireCard(recipe.engine.card)
  const how = [
    fourBit ? '4-bit base' : '16-bit base',
    ...(sharding === 'none' ? [] : [sharding]),
    ...(recomputation ? ['recomputation'] : []),
  ]
  const place = `${recipe.engine.place === 'slurm' ? 'Slurm' : 'torchrun here'}, ${nodes * processes} x ${card.name}, ${how.join(', ')}`
  const memory = gpuMemory(size, layout)
  const placed = { ...known, place, memoryBytes: totalBytes(memory) }
  const memoryText = `a GPU: ${formatBytes(totalBytes(memory))} of ${formatBytes(card.bytes)}: ${describeMemory(memory)}`
  if (tokens === undefined) return { ...placed, arithmetic: memoryText }
  const { seconds, formula } = trainingTime(size, layout, card, tokens)
  return {
    ...placed,
    seconds,
    gpuHours: (seconds / 3600) * nodes * processes,
    arithmetic: `${memoryText}. Time: ${formula} = ${formatDuration(seconds)}`,
  }
}

function describeSampling(
  own: Pick<OutlookStage, 'id' | 'title' | 'place'>,
  { recipe, config }: Sizes,
  outputs: number | undefined,
  maxTokens: number,
): OutlookStage {
  const served = recipe.sampler.kind === 'server'
  const tokens = times(outputs, maxTokens)
  const known = {
    ...own,
    place: served ? describeServers(recipe) : own.place,
    ...(tokens !== undefined && { tokens }),
  }
  if (!served || tokens === undefined || config === undefined || outputs === undefined) return known
  const asked = { count: outputs, promptTokens: outputs * promptTokens, maxTokens }
  const time = servedTime(recipe, config, asked)
  if (time === undefined) return { ...known, arithmetic: 'the model does not fit the GPUs that are to serve it' }
  const { seconds, gpus, formula } = time
  const hours = gpus === 0 ? {} : { gpuHours: (seconds / 3600) * gpus }
  return { ...known, seconds, ...hours, arithmetic: `Time: ${formula} = ${formatDuration(seconds)}` }
}

/** Where texts are written, in words. */
function describeServers(recipe: Recipe): string {
  const { endpoints, start } = recipe.sampler
  if (start === undefined) return `${endpoints.length} served endpoints`
  const { place, gpus } = startSettings(recipe)
  const where = place === 'slurm' ? 'through Slurm' : 'here'
  return `a server ${where}${gpus === 0 ? '' : `, ${gpus} x ${requireCard(recipe.engine.card).name}`}`
}

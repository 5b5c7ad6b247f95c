// What LoRA learnt, merged into the weights that it was learnt on: the model that the next stages start from; and what 16 bits
// of the merged and fewer bits of the next training's base change, measured.
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { exists, readJson, readJsonLines, writeJson } from '../base/files.ts'
import { formatPercent } from '../base/format.ts'
import type { PreferenceMetrics } from '../base/progress.ts'
import type { PairRow, TokenRow } from '../data/records.ts'
import type { ModelReference, TrainingJob } from '../engine/engine.ts'
import { type MergeRecord, mergeAdapter } from '../engine/merging/merge.ts'
import { weightBytes } from '../model/checkpoint.ts'
import { loadModelConfig } from '../model/config.ts'
import { quantisedShapes } from '../model/weights.ts'
import type { ModelDifference } from '../sampler/embedded/compare.ts'
import type { StageWork } from './stage.ts'

/** Below a training stage's folder: what its engine leaves, the merged model, and what merging changed. */
export const resultPath = 'training/result'
export const mergedPath = 'merged'
export const mergeRecordName = 'merge.json'

/** What merging changed of the model that was trained, and what its training's base had lost before. */
export interface ChangeRecord extends MergeRecord {
  /** The merged model beside base and adapter as they were trained; left out in float32 and where it was not compared. */
  difference?: ModelDifference
  /** Preference training in fewer bits: its start in them, which is its reference, beside the start that the pairs were sampled from. */
  quantisation?: {
    bits: 4 | 8
    difference?: ModelDifference
    /** Mean log-probability of held-out pairs' responses, nats: as recorded while sampling, and under the reference. */
    chosen?: BeforeAfter
    rejected?: BeforeAfter
  }
}

interface BeforeAfter {
  sampled: number
  reference: number
}

/** Merges a stage's adapter, once: the record is written when the merged model stands. */
export async function mergeResult(
  { recipe, tools, folder, signal }: StageWork,
  job: TrainingJob,
  pairs: PairMeasures | undefined,
): Promise<ChangeRecord> {
  const file = join(folder, mergeRecordName)
  if (await exists(file)) return (await readJson(file)) as ChangeRecord
  // What a killed attempt left of it may be as large as the model.
  for (const name of await readdir(folder)) {
    if (name.startsWith(`${mergedPath}.`)) await rm(join(folder, name), { recursive: true })
  }
  const { model, objective } = job
  const { base = 'float32' } = model
  const adapter = join(folder, resultPath)
  const merged = join(folder, mergedPath)
  const config = await loadModelConfig(model.folder)
  const quantised = quantisedShapes(config)
  const record: ChangeRecord = await mergeAdapter(model.folder, adapter, merged, {
    formOf: (weight) => (base !== 'float32' && quantised.has(weight) ? base : undefined),
    // GPUs train and serve in bf16, whatever the base's type.
    ...(recipe.engine.kind === 'cluster' && recipe.engine.device === 'gpu' && { storedAs: 'BF16' }),
    threads: recipe.threads,
    signal,
  })
  const prompts = await choosePrompts(job)
  const canCompare = weightBytes(config) <= comparedBytes && prompts.length > 0
  const compare = canCompare ? tools.compareModels : undefined
  const options = { answerTokens, threads: recipe.threads }
  if (record.storedAs !== 'F32' && compare !== undefined) {
    record.difference = await compare({ ...model, adapter }, { folder: merged }, prompts, options, signal)
  }
  if (objective.kind === 'preference' && base !== 'float32') {
    const start: ModelReference = { folder: model.folder }
    record.quantisation = {
      bits: base === 'nf4' ? 4 : 8,
      ...(compare && { difference: await compare(start, model, prompts, options, signal) }),
      ...(pairs && (await comparePairs(pairs))),
    }
  }
  await writeJson(file, record)
  return record
}

/** Models are compared whose float32 weights take at most this: a billion weights, some minutes on a laptop. */
const comparedBytes = 4 * 2 ** 30
const comparedPrompts = 16
/** Of a document, its first tokens are the prompt. */
const promptTokens = 64
const answerTokens = 32

/** Prompts from the job's own data, held-out ones where there are some: what it is trained to go on from. */
async function choosePrompts({ trainingFile, evaluationFiles }: TrainingJob): Promise<number[][]> {
  const prompts = new Map<string, number[]>()
  for (const file of [...Object.values(evaluationFiles), trainingFile]) {
    for await (const { value } of readJsonLines(file)) {
      if (prompts.size === comparedPrompts) return [...prompts.values()]
      const row = value as TokenRow | PairRow
      const prompt = 'promptTokens' in row ? row.promptTokens : beginning(row)
      if (prompt.length > 0) prompts.set(prompt.join(), prompt)
    }
  }
  return [...prompts.values()]
}

function beginning({ tokens, lossFrom }: TokenRow): number[] {
  return tokens.slice(0, Math.max(lossFrom, Math.min(promptTokens, tokens.length >> 1)))
}

/** Mean log-probabilities of pairs' responses while they were sampled; NaN where one of them was not. */
export interface SampledMeans {
  chosen: number
  rejected: number
}

/** What is known of held-out pairs before the first step: under the reference, and as they were sampled. */
export interface PairMeasures {
  reference: PreferenceMetrics
  sampled(): Promise<SampledMeans>
}

/** Means compare only where every response was sampled. */
async function comparePairs({
  reference,
  sampled,
}: PairMeasures): Promise<{ chosen?: BeforeAfter; rejected?: BeforeAfter }> {
  const { chosen, rejected } = await sampled()
  return {
    ...(Number.isFinite(chosen) && { chosen: { sampled: chosen, reference: reference.chosenLogProbability } }),
    ...(Number.isFinite(rejected) && { rejected: { sampled: rejected, reference: reference.rejectedLogProbability } }),
  }
}

const typeNames = { F32: 'float32', BF16: 'bf16', F16: 'float16' }

/** A sentence for each thing that changed; none where the weights are float32 throughout. */
export function describeChanges({ storedAs, roundingShare, difference, quantisation }: ChangeRecord): string[] {
  const sentences: string[] = []
  if (storedAs !== 'F32') {
    const compared = difference === undefined ? '' : `; ${describeDifference(difference)}`
    sentences.push(
      `merged in ${typeNames[storedAs]}, whose rounding is ${formatPercent(roundingShare)} of what was learnt${compared}`,
    )
  }
  if (quantisation !== undefined) {
    const { bits, difference: lost, chosen, rejected } = quantisation
    const moved = [chosen && `chosen ${describeMove(chosen)}`, rejected && `rejected ${describeMove(rejected)}`]
    const parts = [lost && describeDifference(lost), ...moved].filter((part) => part !== undefined)
    sentences.push(`the start in ${bits} bits, beside what was sampled from: ${parts.join('; ') || 'not compared'}`)
  }
  return sentences
}

function describeDifference({ prompts, largestLogit, logitRange, answers }: ModelDifference): string {
  return `over ${prompts} prompts a logit changes by ${largestLogit.toPrecision(2)} at most (the largest lies ${logitRange.toFixed(1)} above the mean), ${answers} greedy answers of ${prompts} differ`
}

function describeMove({ sampled, reference }: BeforeAfter): string {
  return `${sampled.toFixed(2)} nats when sampled, ${reference.toFixed(2)} as reference`
}

/** What a training stage's merging changed; nothing where it trained all weights. */
export async function loadChanges(stageFolder: string, outputs: readonly { path: string }[]): Promise<string[]> {
  if (!outputs.some(({ path }) => path === mergeRecordName)) return []
  return describeChanges((await readJson(join(stageFolder, mergeRecordName))) as ChangeRecord)
}

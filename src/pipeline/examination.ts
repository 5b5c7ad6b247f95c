// An examination on its own: any model or endpoint, any exam; a folder that is gone on with, and never asks twice.
import { join } from 'node:path'
import { UserError } from '../base/errors.ts'
import { hashJson, readJson, writeJson, writeJsonLines } from '../base/files.ts'
import type { RunEvent } from '../base/progress.ts'
import type { ModelReference } from '../engine/engine.ts'
import { type AskedPrompt, type AskingCost, estimateCost, type TokenPrices } from '../exam/cost.ts'
import { examine } from '../exam/examination.ts'
import { type PromptOptions, type PromptRecord, printPrompts, promptText } from '../exam/prompts.ts'
import { type RankedAnswer, rankItems, rankingPrompt, type WeighedOption } from '../exam/ranking.ts'
import type { ExamItem, GradedAnswer, Way, WrittenAnswer } from '../exam/records.ts'
import { loadModelConfig } from '../model/config.ts'
import { openJournal } from '../runs/journal.ts'
import { lockFolder } from '../runs/lock.ts'
import type { EmbeddedOptions } from '../sampler/embedded/embedded.ts'
import type { Sampler, SamplingSettings } from '../sampler/sampler.ts'
import type { ServerSettings } from '../sampler/server/server.ts'
import { loadTokenizer } from '../tokenizer/tokenizer.ts'

/** The ways of asking; rank weighs the options and writes nothing. */
export const examinationWays = ['answer', 'explain', 'rank'] as const
export type ExaminationWay = (typeof examinationWays)[number]

export interface ExaminationSettings {
  /** The exam's name, for the records. */
  exam: string
  items: readonly ExamItem[]
  ways: readonly ExaminationWay[]
  prompts: PromptOptions
  model: LocalModel | ServerSettings
  /** Answers an item and way; several are put to the vote. */
  samples: number
  temperature: number
  /** Nucleus; 1 draws from all tokens. */
  topP: number
  seed: number
  /** The most new tokens. */
  answerTokens: number
  explainTokens: number
}

export type LocalModel = ModelReference & EmbeddedOptions

export const examinationFiles = {
  settings: 'exam.json',
  prompts: 'prompts.jsonl',
  written: 'written.jsonl',
  weighed: 'weighed.jsonl',
  answers: 'answers.jsonl',
  ranked: 'ranked.jsonl',
  report: 'report.html',
}

export interface ExaminationResult {
  answers: GradedAnswer[]
  ranked: RankedAnswer[]
  /** Hosts that were asked. */
  hosts: readonly string[]
}

/** What asking all of it takes. */
export async function estimateExamination(settings: ExaminationSettings, prices?: TokenPrices): Promise<AskingCost> {
  const { model, samples, answerTokens, explainTokens } = settings
  const perCall = 'folder' in model ? samples : model.samplesPerCall
  const asked = [
    ...listPrompts(settings).map(({ way, prompt }): AskedPrompt => {
      const maxTokens = way === 'answer' ? answerTokens : explainTokens
      return { text: promptText(prompt), calls: Math.ceil(samples / perCall), answers: samples, maxTokens }
    }),
    ...listRankings(settings).map(({ prompt, continuations }): AskedPrompt => {
      const calls = continuations.length + 1
      return { text: prompt, calls, answers: calls, maxTokens: 1 }
    }),
  ]
  if (!('folder' in model)) return estimateCost(asked, prices)
  const tokenizer = await loadTokenizer(model.folder)
  return estimateCost(asked, prices, (text) => tokenizer.encode(text).length)
}

/**
 * Carries out an examination in a folder, and tells how far it is. Run again with the same settings, it asks only for
 * what has no answer yet.
 * @throws UserError where the folder holds another examination, or is in use; the signal's reason when it is aborted.
 */
export async function* runExamination(
  settings: ExaminationSettings,
  folder: string,
  signal: AbortSignal,
): AsyncGenerator<RunEvent, ExaminationResult> {
  const startedAt = performance.now()
  const unlock = await lockFolder(folder)
  try {
    const prompts = listPrompts(settings)
    await claimFolder(settings, prompts, folder)
    const stages = settings.ways.map((id) => ({ id, state: 'new' as const }))
    yield { type: 'run-start', name: settings.exam, folder, stages }
    const result: ExaminationResult = { answers: [], ranked: [], hosts: [] }
    const sampler = await openSampler(settings.model)
    result.hosts = sampler.hosts
    try {
      for (const [index, way] of settings.ways.entries()) {
        yield { type: 'stage-start', stage: way, index, count: settings.ways.length }
        const began = performance.now()
        let summary: string
        if (way === 'rank') {
          result.ranked = yield* rankAll(settings, sampler, folder, signal)
          summary = countRight(result.ranked)
        } else {
          const answers = yield* answerAll(settings, way, sampler, folder, signal)
          result.answers.push(...answers)
          summary = countRight(answers)
        }
        yield { type: 'stage-end', stage: way, seconds: (performance.now() - began) / 1000, kept: false, summary }
      }
    } finally {
      await sampler.close()
    }
    if (result.answers.length > 0) await writeJsonLines(join(folder, examinationFiles.answers), result.answers)
    if (result.ranked.length > 0) await writeJsonLines(join(folder, examinationFiles.ranked), result.ranked)
    const seconds = (performance.now() - startedAt) / 1000
    yield { type: 'run-end', name: settings.exam, seconds }
    return result
  } finally {
    await unlock()
  }
}

function listPrompts({ items, ways, prompts }: ExaminationSettings): PromptRecord[] {
  return printPrompts(
    items,
    ways.filter((way): way is Way => way !== 'rank'),
    prompts,
  )
}

/** The items that can be ranked, as they are weighed; always as texts to be continued. */
function listRankings({ items, ways, prompts }: ExaminationSettings) {
  if (!ways.includes('rank')) return []
  return items
    .filter(({ options }) => options.length > 0)
    .map((item) => ({ id: item.id, way: 'rank', ...rankingPrompt(item, prompts) }))
}

/** Writes down what is asked, or sees that the folder holds just that. */
async function claimFolder(settings: ExaminationSettings, prompts: PromptRecord[], folder: string): Promise<void> {
  const { exam, ways, model, samples, temperature, topP, seed, answerTokens, explainTokens } = settings
  const served =
    'folder' in model
      ? {
          folder: model.folder,
          adapter: model.adapter ?? null,
          ...(model.precision === 'int8' && { precision: model.precision }),
        }
      : { name: model.model, api: model.api, dialect: model.dialect }
  const records = [...prompts, ...listRankings(settings)]
  const identity = {
    exam,
    items: settings.items.length,
    ways,
    model: served,
    samples,
    temperature,
    topP,
    seed,
    answerTokens,
    explainTokens,
    // Items' golds may be mended between two attempts; what was asked may not change.
    prompts: hashJson(records),
  }
  const file = join(folder, examinationFiles.settings)
  const before = await readJson(file).catch((error: unknown) => {
    if (error instanceof UserError) return undefined
    throw error
  })
  if (before !== undefined && hashJson(before) !== hashJson(identity)) {
    const was = before as Record<string, unknown>
    const changed = Object.entries(identity).flatMap(([key, is]) =>
      hashJson(was[key] ?? null) === hashJson(is) ? [] : key,
    )
    throw new UserError(
      `${folder}: holds another examination (other ${changed.join(', ')}). Give another --out, or remove the folder.`,
    )
  }
  await writeJsonLines(join(folder, examinationFiles.prompts), records)
  await writeJson(file, identity)
}

/** Opens a local model or a served one. */
export async function openSampler(model: LocalModel | ServerSettings): Promise<Sampler> {
  if ('folder' in model) {
    const { openEmbeddedSampler } = await import('../sampler/embedded/embedded.ts')
    return openEmbeddedSampler(model, model)
  }
  const { openServerSampler } = await import('../sampler/server/server.ts')
  return openServerSampler(model)
}

async function* answerAll(
  settings: ExaminationSettings,
  way: Way,
  sampler: Sampler,
  folder: string,
  signal: AbortSignal,
): AsyncGenerator<RunEvent, GradedAnswer[]> {
  const { items, model, samples, temperature, topP, seed } = settings
  const decode = (maxTokens: number): SamplingSettings => {
    return { maxTokens, temperature, topP, topK: 0, stopTokens: [], stopStrings: [], seed }
  }
  const journal = await openJournal<WrittenAnswer>(join(folder, examinationFiles.written))
  try {
    const answers = examine(
      {
        ...settings.prompts,
        sampler,
        items,
        ways: [way],
        samples,
        settings: { answer: decode(settings.answerTokens), explain: decode(settings.explainTokens) },
        written: journal.records,
        keep: (answer) => journal.append(answer),
        ...('folder' in model && { context: await measureContext(model.folder) }),
      },
      signal,
    )
    const graded: GradedAnswer[] = []
    for await (const answer of answers) {
      graded.push(answer)
      const done = graded.length
      yield { type: 'stage-progress', stage: way, done, total: items.length, unit: 'answers', sample: answer.output }
    }
    return graded
  } finally {
    await journal.close()
  }
}

async function* rankAll(
  { items, prompts }: ExaminationSettings,
  sampler: Sampler,
  folder: string,
  signal: AbortSignal,
): AsyncGenerator<RunEvent, RankedAnswer[]> {
  const journal = await openJournal<WeighedOption>(join(folder, examinationFiles.weighed))
  try {
    const keep = (one: WeighedOption) => journal.append(one)
    const ranked: RankedAnswer[] = []
    for await (const answer of rankItems({ ...prompts, sampler, items, weighed: journal.records, keep }, signal)) {
      ranked.push(answer)
      yield { type: 'stage-progress', stage: 'rank', done: ranked.length, total: items.length, unit: 'answers' }
    }
    return ranked
  } finally {
    await journal.close()
  }
}

async function measureContext(folder: string) {
  const [tokenizer, { contextTokens }] = await Promise.all([loadTokenizer(folder), loadModelConfig(folder)])
  const measure = (prompt: PromptRecord['prompt']) =>
    (typeof prompt === 'string' ? tokenizer.encode(prompt) : tokenizer.encodeChat(prompt)).length
  return { tokens: contextTokens, measure }
}

function countRight(answers: readonly { correct: boolean }[]): string {
  return `${answers.filter(({ correct }) => correct).length}/${answers.length} right`
}

// Exporting a finished run's model: where it stands, what the run knows of it, what its report says.

import { availableParallelism } from 'node:os'
import { join, resolve } from 'node:path'
import { UserError } from '../base/errors.ts'
import { readJson } from '../base/files.ts'
import { formatPercent } from '../base/format.ts'
import type { AnswerForm, Way } from '../exam/records.ts'
import { defaultTemplate } from '../exam/template.ts'
import { type ExportEvent, type ExportFormat, exportModel } from '../export/export-model.ts'
import type { CardFacts } from '../export/model-card.ts'
import type { RecordedQuestion } from '../export/stranger.ts'
import type { ReportNumbers } from '../report/report.ts'
import type { ReportInput } from '../report/report-input.ts'
import type { WaySummary } from '../report/summary.ts'
import type { OpenSampler } from '../sampler/sampler.ts'
import { reportFiles } from './stages/report.ts'
import { findTrainedModel, type TrainedModel } from './trained-model.ts'

export interface ExportOptions {
  /** As the recipe names it; the last of its variants when left out. */
  variant?: string | undefined
  formats: readonly ExportFormat[]
  /** Holds a folder a format; 'export/<variant>' below the run when left out. */
  folder?: string | undefined
  template: 'own' | 'plain'
  /** How many of the test questions are asked again, each way. */
  questions: number
  /** Writes it in spite of fatal problems. */
  anyway?: boolean
  /** The embedded sampler when left out. */
  openSampler?: OpenSampler
}

/**
 * Writes a variant's model in every form asked for; tells what was found, written and examined.
 * @throws UserError where there is no such run or variant, or a form cannot be had.
 */
export async function* exportRun(
  run: string,
  options: ExportOptions,
  signal: AbortSignal,
): AsyncGenerator<ExportEvent> {
  const runFolder = resolve(run)
  const report = (await readRecord(runFolder, reportFiles.json)) as ReportNumbers
  const input = (await readRecord(runFolder, reportFiles.input)) as ReportInput
  const names = input.variants.map(({ name }) => name)
  const variant = options.variant ?? names.at(-1) ?? ''
  if (!names.includes(variant)) {
    throw new UserError(`${run}: has no variant ${variant}. It has ${names.join(', ')}.`, { status: 2 })
  }
  const model = await findTrainedModel(runFolder, variant)
  const { openEmbeddedSampler } = await import('../sampler/embedded/embedded.ts')
  const form = (input.recipe.exam as { answerForm: AnswerForm }).answerForm
  yield* exportModel(
    {
      name: `${input.run.name}-${variant.replaceAll('+', '-')}`,
      modelFolder: model.folder,
      adapters: model.adapters,
      formats: options.formats,
      template: options.template,
      facts: model.facts,
      questions: gatherQuestions(input, variant, options.questions),
      examine: { form, answerCue: input.answerCue ?? defaultTemplate(form).answerCue },
      card: describeCard(report, input, variant, model),
      anyway: options.anyway ?? false,
      folder: resolve(options.folder ?? join(runFolder, 'export', variant)),
      openSampler: options.openSampler ?? openEmbeddedSampler,
      threads: availableParallelism(),
    },
    signal,
  )
}

async function readRecord(runFolder: string, file: string): Promise<unknown> {
  const path = join(runFolder, 'report', file)
  try {
    return await readJson(path)
  } catch (error) {
    if (!(error instanceof UserError)) throw error
    throw new UserError(`${runFolder}: not a finished run (${error.message}) Name its folder, such as runs/my-run.`, {
      cause: error,
    })
  }
}

/** The first questions of each way with what the variant answered. */
function gatherQuestions(input: ReportInput, variant: string, count: number): RecordedQuestion[] {
  const { answers } = input.variants.find(({ name }) => name === variant)!
  const { answerTokens, explainTokens } = input.recipe.examine as { answerTokens: number; explainTokens: number }
  return (Object.entries(answers) as [Way, NonNullable<(typeof answers)[Way]>][]).flatMap(([way, graded]) => {
    const recorded = new Map(graded.map((answer) => [answer.id, answer]))
    return input.items.slice(0, count).flatMap(({ prompts, ...item }): RecordedQuestion[] => {
      const [prompt, answer] = [prompts?.[way], recorded.get(item.id)]
      if (prompt === undefined || answer === undefined) return []
      return [{ item, way, prompt, recorded: answer, maxTokens: way === 'answer' ? answerTokens : explainTokens }]
    })
  })
}

const wayNames: Record<Way, string> = { answer: 'answering at once', explain: 'explaining first' }

function describeCard(
  report: ReportNumbers,
  input: ReportInput,
  variant: string,
  { adapters, changes }: TrainedModel,
): CardFacts {
  const baseName = 'missing' in adapters ? undefined : adapters.baseName
  const { run, finding, limits, items, variants } = report
  const compared = ['base', variant].filter((name, i, all) => variants[name] !== undefined && all.indexOf(name) === i)
  const scores = compared.flatMap((name) =>
    (['answer', 'explain'] as const).flatMap((way) => {
      const summary = variants[name]?.[way]
      return summary === undefined ? [] : [{ model: name, way: wayNames[way], ...describeScore(summary) }]
    }),
  )
  return {
    title: `${run.name}: ${variant}`,
    // Only a name on a hub says something elsewhere; a path on this machine does not.
    baseModel: baseName !== undefined && /^[\w.-]+\/[\w.-]+$/.test(baseName) ? baseName : undefined,
    sources: run.sources,
    scores,
    questions: items,
    finding,
    changes,
    limits,
    examplePrompt: input.items[0]?.prompts?.explain ?? input.items[0]?.prompts?.answer,
    seed: run.seed,
    versions: run.versions,
    hosts: run.hosts,
  }
}

function describeScore({ accuracy, correct, items, interval, runOn, truncated, unreadable }: WaySummary) {
  const range = interval === null ? '' : `; ${(100 * interval.low).toFixed(1)} to ${(100 * interval.high).toFixed(1)}`
  return {
    accuracy: `${formatPercent(accuracy)} (${correct}/${items}${range})`,
    runOn: formatPercent(runOn / items),
    unreadable: formatPercent((unreadable + truncated) / items),
  }
}

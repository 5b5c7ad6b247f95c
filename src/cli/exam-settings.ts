// The options of `meikai exam` as an examination's settings.
import { availableParallelism } from 'node:os'
import { UserError } from '../base/errors.ts'
import type { TokenPrices } from '../exam/cost.ts'
import { type Exam, openExam, selectItems } from '../exam/exam.ts'
import { loadItems } from '../exam/items.ts'
import type { ExamItem } from '../exam/records.ts'
import { findTemplate } from '../exam/template-file.ts'
import { type ExaminationSettings, type ExaminationWay, examinationWays } from '../pipeline/examination.ts'
import { readNumber, readWhole } from './numbers.ts'

/** The command's options as they were typed. */
export interface ExamOptions {
  exam?: string
  data?: string
  years?: string
  'text-only'?: boolean
  items?: string
  model?: string
  adapter?: string
  precision: string
  endpoints: string[]
  api: string
  dialect: string
  'key-variable'?: string
  concurrency: string
  'requests-per-minute'?: string
  timeout: string
  ways: string
  template?: string
  shots: string
  examples?: string
  seed?: string
  samples: string
  temperature?: string
  'top-p': string
  'answer-tokens': string
  'explain-tokens': string
  'price-in'?: string
  'price-out'?: string
  overlap?: string
  out?: string
  'dry-run'?: boolean
  json?: boolean
}

/** Sequences that a local model writes at the same time. */
const LOCAL_SEQUENCES = 64
const SEVERAL_TEMPERATURE = 0.8

/** An option that cannot be left out, or a UserError that asks for it. */
export function required(options: ExamOptions, option: 'exam' | 'model' | 'out', what: string): string {
  const value = options[option]
  if (value !== undefined) return value
  throw new UserError(`exam: ${what}? Give --${option}. See: meikai exam --help`, { status: 2 })
}

/** Throws a UserError for what does not fit together. */
export async function readSettings(options: ExamOptions, exam: Exam, model: string): Promise<ExaminationSettings> {
  const seed = readWhole('seed', options.seed, 0)
  const samples = readWhole('samples', options.samples) ?? 1
  const temperature = readNumber('temperature', options.temperature) ?? (samples > 1 ? SEVERAL_TEMPERATURE : 0)
  if (samples > 1 && temperature === 0) {
    throw new UserError('--samples: several answers at temperature 0 are all the same. Raise --temperature.', {
      status: 2,
    })
  }
  const isServed = options.endpoints.length > 0
  const api = oneOf('api', options.api, ['chat', 'completions'] as const)
  const form = exam.description.answerForm
  if (isServed && options.adapter !== undefined) {
    throw new UserError('--adapter: is for a local model. An endpoint serves an adapter under a name: --model NAME.', {
      status: 2,
    })
  }
  const precision = oneOf('precision', options.precision, ['float32', 'int8'] as const)
  if (isServed && precision !== 'float32') {
    throw new UserError('--precision: is for a local model. An endpoint computes as it was started.', { status: 2 })
  }
  const topP = readNumber('top-p', options['top-p']) ?? 1
  if (topP === 0 || topP > 1) {
    throw new UserError(`--top-p ${options['top-p']}: must be above 0 and at most 1.`, { status: 2 })
  }
  const { language } = exam.description
  const usual = isServed && api === 'chat' ? `${language}-chat` : language
  const template = await findTemplate(options.template ?? usual, form)
  const items = selectItems(exam.items, readWhole('items', options.items), seed ?? 0)
  const shots = await chooseExamples(options, items, seed)
  const endpoint = {
    keyVariable: options['key-variable'],
    concurrency: readWhole('concurrency', options.concurrency) ?? 1,
    requestsPerMinute: readNumber('requests-per-minute', options['requests-per-minute']),
  }
  return {
    exam: exam.description.name,
    items,
    ways: readWays(options.ways),
    prompts: { form, template, shots },
    model: isServed
      ? {
          endpoints: options.endpoints.map((url) => ({ url, ...endpoint })),
          model,
          api,
          dialect: oneOf('dialect', options.dialect, ['plain', 'openai', 'vllm'] as const),
          samplesPerCall: 1,
          timeoutSeconds: readWhole('timeout', options.timeout) ?? 600,
          attempts: 10,
        }
      : {
          folder: model,
          ...(options.adapter !== undefined && { adapter: options.adapter }),
          threads: availableParallelism(),
          sequences: LOCAL_SEQUENCES,
          precision,
        },
    samples,
    temperature,
    topP,
    seed: seed ?? 0,
    answerTokens: readWhole('answer-tokens', options['answer-tokens']) ?? 64,
    explainTokens: readWhole('explain-tokens', options['explain-tokens']) ?? 1024,
  }
}

function readWays(list: string): ExaminationWay[] {
  const ways = list.split(',').map((way) => oneOf('ways', way, examinationWays))
  if (new Set(ways).size < ways.length) throw new UserError(`--ways ${list}: one stands twice.`, { status: 2 })
  return ways
}

function oneOf<Name extends string>(option: string, value: string, names: readonly Name[]): Name {
  const found = names.find((name) => name === value)
  if (found === undefined) throw new UserError(`--${option} ${value}: must be of ${names.join(', ')}.`, { status: 2 })
  return found
}

/** Worked examples: the first of a file or of the years that are not asked, or a seeded choice; never an asked question. */
async function chooseExamples(
  options: ExamOptions,
  asked: readonly ExamItem[],
  seed: number | undefined,
): Promise<ExamItem[]> {
  const count = readWhole('shots', options.shots, 0) ?? 0
  if (count === 0) return []
  const ids = new Set(asked.map(({ id }) => id))
  const years = new Set(asked.map(({ year }) => year))
  const found =
    options.examples !== undefined
      ? await loadItems(options.examples)
      : (await openExam(options.exam ?? '', { data: options.data })).items.filter(({ year }) => !years.has(year))
  const twice = found.find(({ id }) => ids.has(id))
  if (twice !== undefined) throw new UserError(`--examples: ${twice.id} is asked too. Worked examples must be others.`)
  const usable = found.filter(({ hasFigure }) => !hasFigure)
  if (usable.length < count) {
    throw new UserError(
      `--shots ${count}: there are only ${usable.length} worked examples without a figure. Give --examples FILE, or leave out a year with --years.`,
    )
  }
  return seed === undefined ? usable.slice(0, count) : selectItems(usable, count, seed)
}

export function readPrices(options: ExamOptions): TokenPrices | undefined {
  const promptTokens = readNumber('price-in', options['price-in'])
  const newTokens = readNumber('price-out', options['price-out'])
  if (promptTokens === undefined && newTokens === undefined) return undefined
  return { promptTokens: promptTokens ?? 0, newTokens: newTokens ?? 0 }
}

// Descriptions of exams in YAML: where items and golds are, what they are worth, what passes, licence and source.
import { readdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { type KeyPath, readDocument } from '../base/document.ts'
import { UserError } from '../base/errors.ts'
import { nearest } from '../base/nearest.ts'
import { readingNames } from './reading-names.ts'

const text = () => z.string().min(1)
const wholeNumber = () => z.int().min(0)
/** Names of a column, the first that a row has counts. */
const names = z.array(text()).min(1)

const columnsSchema = z.strictObject({
  question: names,
  /** One column with a list (or a map by letter), or one column an option; left out: the options stand in the question. */
  options: z.array(names).default([]),
  gold: names,
  id: names.default([]),
  explanation: names.default([]),
  points: names.default([]),
  section: names.default([]),
  kind: names.default([]),
  year: names.default([]),
  cluster: names.default([]),
  /** True where the question has a figure. */
  figure: names.default([]),
  /** True where it has none. */
  textOnly: names.default([]),
})

/**
 * letter: "c", "ac", ["a", "c"]; text: an option's own text; from-0, from-1: its number; auto: whichever of these fits
 * every row of the exam, an error where two do.
 */
export const goldForms = ['auto', 'letter', 'text', 'from-0', 'from-1'] as const

const correctionSchema = z.strictObject({
  gold: z.array(z.array(text()).min(1)).min(1).optional(),
  anyAnswer: z.boolean().optional(),
  conditional: z.boolean().optional(),
  prohibited: z.array(text()).optional(),
  points: z.number().min(0).optional(),
})

const yearSchema = z.strictObject({
  items: wholeNumber().optional(),
  /** What the items' points add up to. */
  points: z.union([wholeNumber(), z.strictObject({ compulsory: wholeNumber(), general: wholeNumber() })]).optional(),
  pass: z
    .strictObject({
      /** Share of the compulsory points that are needed, of those that count for the examinee. */
      compulsoryShare: z.number().min(0).max(1).optional(),
      generalPoints: wholeNumber().optional(),
      /** The most items with a prohibited option chosen. */
      prohibitedItems: wholeNumber().optional(),
    })
    .optional(),
})

const descriptionSchema = z.strictObject({
  name: z.string().regex(/^[\w.-]+$/, 'must be made of letters, digits, dots and hyphens.'),
  title: text(),
  layout: z.enum(['items', 'table', 'igakuqa', 'igakuqa119']),
  /** Where the data is, from the description's folder; --data says it otherwise. */
  data: text().optional(),
  columns: columnsSchema.optional(),
  /** Tables whose first line is a row already; columns are then numbered from 1. */
  header: z.boolean().default(true),
  goldForm: z.enum(goldForms).default('auto'),
  /** letter: answers are the options' letters; option-text: an option's own text. */
  answerForm: z.enum(['letter', 'option-text']).default('letter'),
  reading: z.enum(readingNames).default('normalised'),
  /** Of the prompts, and of the answer cue that outputs are read by, where no template is named. */
  language: z.enum(['ja', 'en']).default('ja'),
  /** Sections (blocks) whose items are compulsory; when given, all others are general. */
  compulsorySections: z.array(text()).optional(),
  /** Points by section and number, where the items have none of their own; the first rule that fits counts. */
  pointRules: z
    .array(z.strictObject({ sections: z.array(text()), fromNumber: wholeNumber(), points: z.number() }))
    .default([]),
  corrections: z.record(z.string(), correctionSchema).default({}),
  years: z.record(z.string(), yearSchema).default({}),
  licence: text(),
  source: z
    .strictObject({
      home: z.url(),
      revision: text(),
      /** Where `meikai exam fetch` has the files from: {revision} and {path} are put in. */
      download: text().optional(),
      /** Their hashes beside the description, as sha256sum prints them: what is fetched, and what it must be. */
      hashes: text().optional(),
    })
    .optional(),
})

export type ExamDescription = z.output<typeof descriptionSchema>
export type ExamColumns = z.output<typeof columnsSchema>
export type GoldForm = (typeof goldForms)[number]

export interface LoadedDescription {
  description: ExamDescription
  /** The file that it was read from. */
  file: string
  /** Where a key stands: 'file:line'. */
  locate(path: KeyPath): string
}

const shippedFolder = fileURLToPath(new URL('../../exams/', import.meta.url))

/** The names of the descriptions that come with meikai. */
export async function listDescriptions(): Promise<string[]> {
  const files = await readdir(shippedFolder)
  return files
    .filter((file) => file.endsWith('.yaml'))
    .map((file) => file.slice(0, -'.yaml'.length))
    .sort()
}

/**
 * Reads a description: a shipped one by its name, any other by its file.
 * Throws a UserError with file and line for what does not fit, and for a name that is not there.
 */
export async function loadDescription(nameOrFile: string): Promise<LoadedDescription> {
  const file = descriptionFile(nameOrFile)
  const shipped = await listDescriptions()
  if (file !== nameOrFile && !shipped.includes(nameOrFile)) {
    const near = nearest(nameOrFile, shipped)
    const hint = near === undefined ? `There are ${shipped.join(', ')}.` : `Did you mean ${near}?`
    throw new UserError(`no exam ${nameOrFile}. ${hint} A description of your own is named by its .yaml file.`)
  }
  const { value, locate } = await readDocument(file, descriptionSchema)
  if (value.layout === 'table' && value.columns === undefined) {
    throw new UserError(`${file}: columns: is missing (a table needs them; see the shipped exam general).`)
  }
  return { description: value, file, locate }
}

/** The file of a description, whether or not it is there. */
export function descriptionFile(nameOrFile: string): string {
  return /\.ya?ml$/i.test(nameOrFile) ? nameOrFile : join(shippedFolder, `${nameOrFile}.yaml`)
}

/** The data's path as the description gives it, or undefined. */
export function dataPath({ description, file }: LoadedDescription): string | undefined {
  return description.data === undefined ? undefined : join(dirname(file), description.data)
}

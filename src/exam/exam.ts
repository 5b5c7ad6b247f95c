// Exams as lists of items: our own JSON Lines, the IgakuQA data set, or what a description says; and a seeded choice among them.
import { UserError } from '../base/errors.ts'
import { Random } from '../base/random.ts'
import { checkTotals, describeItems } from './described-items.ts'
import { dataPath, type ExamDescription, type LoadedDescription, loadDescription } from './description.ts'
import { loadIgakuqa } from './igakuqa.ts'
import { loadItems } from './items.ts'
import type { ExamItem } from './records.ts'
import { findTemplate } from './template-file.ts'

export interface ExamSource {
  /** The data's file or folder. */
  path: string
  /** A shipped description's name, or a description's file; a JSON Lines file of ExamItem when left out. */
  description?: string | undefined
  /** Which years; all when left out. */
  years?: readonly (string | number)[] | undefined
  /** Leave out items with a figure. */
  textOnly?: boolean | undefined
}

/**
 * Loads an exam's items in the order of its file.
 * Throws a UserError with file and line for an item without gold, with a gold that is no option, with two options that
 * read the same, or with the id of an earlier one; for years that are not there; and when nothing is left.
 */
export async function loadExam({ path, description, years, textOnly }: ExamSource): Promise<ExamItem[]> {
  const choice = { years: years?.map(String), textOnly }
  if (description === undefined) return chooseItems(await loadItems(path), path, choice)
  return (await openExam(description, { ...choice, data: path })).items
}

export interface Exam {
  description: ExamDescription
  /** Where the data is. */
  path: string
  items: ExamItem[]
  /** Ids of all items of the data, the ones that were not chosen included. */
  knownIds: ReadonlySet<string>
  /** Years that are there whole, so that passing can be judged. */
  wholeYears: string[]
  /** The answer cue of the prompts, by which outputs are read. */
  answerCue: string
}

export interface ExamChoice {
  /** The data's file or folder, where the description does not say it or lies elsewhere. */
  data?: string | undefined
  /** Which years; all when left out. */
  years?: readonly string[] | undefined
  /** Leave out items with a figure. */
  textOnly?: boolean | undefined
  /** The prompts' template, by name or file; that of the description's language when left out. */
  template?: string | undefined
}

/**
 * Opens an exam by a shipped description's name or a description's file.
 * Throws a UserError with file and line for items that cannot be used, for years that are not there, and where items or
 * points do not add up to what the description says.
 */
export async function openExam(nameOrFile: string, choice: ExamChoice = {}): Promise<Exam> {
  const loaded = await loadDescription(nameOrFile)
  const { description } = loaded
  const path = choice.data ?? dataPath(loaded)
  if (path === undefined) {
    throw new UserError(`the exam ${description.name}: where is its data? Give its file or folder: --data PATH.`, {
      status: 2,
    })
  }
  const all = describeItems(await loadLayout(path, loaded), loaded)
  checkTotals(all, loaded)
  const items = chooseItems(all, path, choice)
  const knownIds = new Set(all.map(({ id }) => id))
  const { answerCue } = await findTemplate(choice.template ?? description.language, description.answerForm)
  const wholeYears = choice.textOnly ? [] : [...(choice.years ?? yearsOf(all))]
  return { description, path, items, knownIds, wholeYears, answerCue }
}

function yearsOf(items: readonly ExamItem[]): string[] {
  return [...new Set(items.flatMap(({ year }) => year ?? []))]
}

async function loadLayout(path: string, { description }: LoadedDescription): Promise<ExamItem[]> {
  switch (description.layout) {
    case 'items':
      return loadItems(path)
    case 'igakuqa':
      return loadIgakuqa(path)
    case 'igakuqa119':
      return (await import('./igakuqa119.ts')).loadIgakuqa119(path)
    case 'table':
      return (await import('./table.ts')).loadTable(path, description)
  }
}

function chooseItems(
  all: ExamItem[],
  path: string,
  { years, textOnly }: Pick<ExamChoice, 'years' | 'textOnly'>,
): ExamItem[] {
  const there = yearsOf(all)
  const missing = years?.find((year) => !there.includes(year))
  if (missing !== undefined) {
    throw new UserError(`${path}: no year ${missing}. There are ${there.join(', ') || 'none'}.`)
  }
  const items = years === undefined ? all : all.filter(({ year }) => years.includes(year ?? ''))
  const kept = textOnly ? items.filter((item) => !item.hasFigure) : items
  if (kept.length === 0) {
    throw new UserError(`${path}: no exam items${items.length > 0 ? ' without a figure' : ''}.`)
  }
  return kept
}

/** A seeded choice of at most `count` items, in their own order. */
export function selectItems(items: readonly ExamItem[], count: number | undefined, seed: number): ExamItem[] {
  if (count === undefined || count >= items.length) return [...items]
  const chosen = new Set(new Random(seed, 'exam-items').shuffled(items).slice(0, count))
  return items.filter((item) => chosen.has(item))
}

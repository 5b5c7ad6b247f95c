// Exams as lists of items: our own JSON Lines, or the IgakuQA data set; and a seeded choice among them.
import { UserError } from '../base/errors.ts'
import { Random } from '../base/random.ts'
import { loadIgakuqa } from './igakuqa.ts'
import { loadItems } from './items.ts'
import type { ExamItem } from './records.ts'

export interface ExamSource {
  /** items: a JSON Lines file of ExamItem. igakuqa: the data set's folder (the one that holds data/), or one of its files. */
  path: string
  format: 'items' | 'igakuqa'
  /** igakuqa only: which years; all when left out. */
  years?: readonly number[]
  /** Leave out items with a figure. */
  textOnly?: boolean
}

/**
 * Loads an exam in the order of its file.
 * Throws a UserError with file and line for an item without gold, with a gold that is no option, with two options that
 * read the same, or with the id of an earlier one; and when nothing is left.
 */
export async function loadExam(source: ExamSource): Promise<ExamItem[]> {
  const items =
    source.format === 'igakuqa' ? await loadIgakuqa(source.path, source.years) : await loadItems(source.path)
  const kept = source.textOnly ? items.filter((item) => !item.hasFigure) : items
  if (kept.length === 0) {
    throw new UserError(`${source.path}: no exam items${items.length > 0 ? ' without a figure' : ''}.`)
  }
  return kept
}

/** A seeded choice of at most `count` items, in their own order. */
export function selectItems(items: readonly ExamItem[], count: number | undefined, seed: number): ExamItem[] {
  if (count === undefined || count >= items.length) return [...items]
  const chosen = new Set(new Random(seed, 'exam-items').shuffled(items).slice(0, count))
  return items.filter((item) => chosen.has(item))
}

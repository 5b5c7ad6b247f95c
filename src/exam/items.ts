// Exam items in our own form, one JSON object a line, and what makes an item usable.
import { z } from 'zod'
import { UserError } from '../base/errors.ts'
import { readJsonLines } from '../base/files.ts'
import { letterOf } from './prompts.ts'
import type { ExamItem } from './records.ts'

const itemSchema = z.strictObject({
  id: z.string().min(1),
  question: z.string().min(1),
  options: z.array(z.string().min(1)).max(26),
  gold: z.array(z.array(z.string().min(1)).min(1)),
  points: z.number().min(0).default(1),
  explanation: z.string().optional(),
  kind: z.string().optional(),
  cluster: z.string().optional(),
  hasFigure: z.boolean().optional(),
  section: z.string().optional(),
  year: z.string().optional(),
  part: z.enum(['compulsory', 'general']).optional(),
  conditional: z.boolean().optional(),
  anyAnswer: z.boolean().optional(),
  prohibited: z.array(z.string()).optional(),
})

/** Items of a JSON Lines file; throws a UserError with file and line for one that cannot be used. */
export async function loadItems(path: string): Promise<ExamItem[]> {
  const items: ExamItem[] = []
  const lineOfId = new Map<string, number>()
  for await (const { value, line } of readJsonLines(path)) {
    const read = itemSchema.safeParse(value)
    if (!read.success) throw new UserError(`${path}:${line}: ${describeIssue(read.error.issues[0]!)}`)
    const item: ExamItem = read.data
    const problem = checkItem(item) ?? checkTwins(item)
    if (problem !== undefined) throw new UserError(`${path}:${line}: item ${item.id}: ${problem}`)
    const earlier = lineOfId.get(item.id)
    if (earlier !== undefined) {
      throw new UserError(`${path}:${line}: item ${item.id}: the same id stands in line ${earlier}. Ids must differ.`)
    }
    lineOfId.set(item.id, line)
    items.push(item)
  }
  return items
}

/** What is wrong with an item beyond its types, or undefined. */
export function checkItem(item: ExamItem): string | undefined {
  if (item.gold.length === 0) return 'no gold answer. Give gold as a list of accepted answers, e.g. [["c"]].'
  const letters = item.options.map((_, i) => letterOf(i))
  for (const answer of item.gold.flat()) {
    if (letters.length === 0 && !Number.isFinite(Number(answer))) {
      return `the gold "${answer}" is no number, and the item has no options.`
    }
    if (letters.length > 0 && !letters.includes(answer)) {
      return `the gold "${answer}" is no option. The options are ${letters[0]} to ${letters.at(-1)}.`
    }
  }
  for (const answer of item.gold) {
    const twice = answer.find((one, i) => answer.indexOf(one) < i)
    if (twice !== undefined) return `the gold ${answer.join(',')} has ${twice} twice.`
  }
  const strange = item.prohibited?.find((letter) => !letters.includes(letter))
  if (strange !== undefined) return `the prohibited "${strange}" is no option.`
  return undefined
}

/** Two options that read the same cannot be told apart when the answer is an option's text. */
export function checkTwins({ options }: ExamItem): string | undefined {
  const twin = options.findIndex((text, i) => text !== '' && options.indexOf(text) < i)
  if (twin < 0) return undefined
  return `options ${letterOf(options.indexOf(options[twin]!))} and ${letterOf(twin)} read the same.`
}

function describeIssue(issue: z.core.$ZodIssue): string {
  if (issue.code === 'unrecognized_keys') return `unknown key ${issue.keys.join(', ')}.`
  const key = issue.path.join('.')
  return `${key === '' ? 'the line' : key}: ${issue.message}.`
}

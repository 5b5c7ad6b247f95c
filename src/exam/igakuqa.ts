// IgakuQA: the Japanese physician exam as JSON Lines a block, data/<year>/<exam>-<block>.jsonl with _metadata beside it.
// The data set: Kasai et al. 2023, github.com/jungokasai/IgakuQA.
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { UserError } from '../base/errors.ts'
import { exists, readError, readJsonLines } from '../base/files.ts'
import { checkItem } from './items.ts'
import type { ExamItem } from './records.ts'

const questionSchema = z.object({
  problem_id: z.string().min(1),
  problem_text: z.string().min(1),
  choices: z.array(z.string()),
  text_only: z.boolean(),
  answer: z.array(z.string()),
  /** A string in the exams, absent in the worked examples of its prompts. */
  points: z.string().regex(/^\d+$/).default('1'),
  explanation: z.string().optional(),
})
type Question = z.output<typeof questionSchema>

const metadataSchema = z.object({
  problem_id: z.string(),
  category: z.string(),
  /** Prohibited options, unofficial: letters of any width, one or several together. */
  kinki: z.array(z.string()).default([]),
})
type Metadata = z.output<typeof metadataSchema>

const BLOCK_FILE = /^\d+-[A-F]\.jsonl$/

/** Items in the order of year, block and number; or those of one file. */
export async function loadIgakuqa(path: string): Promise<ExamItem[]> {
  const items: ExamItem[] = []
  const seen = new Set<string>()
  for (const file of await blockFiles(path)) {
    const year = /[\\/](\d{4})[\\/][^\\/]*$/.exec(file)?.[1]
    for (const item of await loadBlock(file, year)) {
      if (seen.has(item.id)) throw new UserError(`${file}: item ${item.id} occurs twice. Ids must differ.`)
      seen.add(item.id)
      items.push(item)
    }
  }
  return items
}

async function blockFiles(path: string): Promise<string[]> {
  let folder = path
  try {
    if ((await stat(path)).isFile()) return [path]
    folder = join(path, 'data')
    const years = (await readdir(folder)).filter((name) => /^\d{4}$/.test(name)).sort()
    const blocks = await Promise.all(
      years.map(async (year) => {
        const names = (await readdir(join(folder, year))).filter((name) => BLOCK_FILE.test(name)).sort()
        return names.map((name) => join(folder, year, name))
      }),
    )
    return blocks.flat()
  } catch (error) {
    throw readError(folder, error)
  }
}

async function loadBlock(file: string, year: string | undefined): Promise<ExamItem[]> {
  const metadata = await loadMetadata(file.replace(/\.jsonl$/, '_metadata.jsonl'))
  const items: ExamItem[] = []
  for await (const { value, line } of readJsonLines(file)) {
    const read = questionSchema.safeParse(value)
    if (!read.success) {
      const [issue] = read.error.issues
      throw new UserError(`${file}:${line}: ${issue!.path.join('.')}: ${issue!.message}.`)
    }
    const item = toItem(read.data, metadata, year)
    const problem = checkItem(item)
    if (problem !== undefined) throw new UserError(`${file}:${line}: item ${item.id}: ${problem}`)
    items.push(item)
  }
  return markCases(items)
}

async function loadMetadata(file: string): Promise<Map<string, Metadata>> {
  const metadata = new Map<string, Metadata>()
  if (!(await exists(file))) return metadata
  for await (const { value, line } of readJsonLines(file)) {
    const read = metadataSchema.safeParse(value)
    if (!read.success) throw new UserError(`${file}:${line}: needs problem_id and category.`)
    metadata.set(read.data.problem_id, read.data)
  }
  return metadata
}

function toItem(question: Question, metadata: Map<string, Metadata>, year: string | undefined): ExamItem {
  const id = question.problem_id
  const { category: kind, kinki = [] } = metadata.get(id) ?? {}
  const prohibited = [...kinki.join('').normalize('NFKC').toLowerCase().replace(/\s/g, '')]
  const gold = goldOf(question)
  const section = /^\d+([A-F])\d+$/.exec(id)?.[1]
  return {
    id,
    question: question.problem_text.trim(),
    options: question.choices,
    gold,
    points: Number(question.points),
    ...(question.explanation !== undefined && { explanation: question.explanation }),
    ...(kind !== undefined && { kind }),
    ...(!question.text_only && { hasFigure: true }),
    ...(section !== undefined && { section }),
    ...(year !== undefined && { year }),
    ...(prohibited.length > 0 && { prohibited }),
    ...(question.choices.length === 0 && gold[0]![0] !== question.answer[0] && { printedGold: question.answer }),
  }
}

/** "a or d" accepts either; a number gets the decimal point that the boxes of the answer sheet have (「①.②」 and "21" is 2.1). */
function goldOf({ answer, choices, problem_text: text }: Question): string[][] {
  if (choices.length > 0) {
    const [only] = answer
    return answer.length === 1 && only!.includes(' or ') ? only!.split(' or ').map((letter) => [letter]) : [answer]
  }
  const decimals = /解答[:：][^①]*[①-⑨]+[.．]([①-⑨]+)/.exec(text)?.[1]?.length ?? 0
  return [
    answer.map((digits) =>
      decimals === 0 || digits.includes('.') ? digits : `${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`,
    ),
  ]
}

/**
 * Items of one case get its first item's id as their cluster. 「次の文を読み、40、41の問いに答えよ」 names the numbers;
 * from 2020 on it is 「以下の問いに答えよ」, and a case goes on to the next one. All cases of a block have the same number
 * of questions, so the last is as long as the one before it.
 */
function markCases(items: ExamItem[]): ExamItem[] {
  const starts = items.flatMap(({ question }, i) => (question.startsWith('次の文を読み') ? [i] : []))
  const size = starts.length < 2 ? 1 : starts[1]! - starts[0]!
  return items.map((item, i) => {
    const start = starts.find((first) => i >= first && i < first + size)
    return start === undefined ? item : { ...item, cluster: items[start]!.id }
  })
}

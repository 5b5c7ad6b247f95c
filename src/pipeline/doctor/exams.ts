// The doctor's look at examinations: items that are whole, apart from each other, and short enough for the model.
import { formatCount } from '../../base/format.ts'
import { loadExam, selectItems } from '../../exam/exam.ts'
import { type PromptOptions, printPrompt } from '../../exam/prompts.ts'
import type { ExamItem, Way } from '../../exam/records.ts'
import { defaultTemplate } from '../../exam/template.ts'
import { loadTemplate } from '../../exam/template-file.ts'
import type { ModelConfig } from '../../model/config.ts'
import type { Recipe } from '../../recipe/recipe.ts'
import type { Tokenizer } from '../../tokenizer/tokenizer.ts'
import { locatePath } from '../models.ts'
import type { ExamPart } from '../stages/exam.ts'
import type { Finding } from './finding.ts'

export type Exams = Partial<Record<ExamPart, ExamItem[]>>

export async function loadPart(recipe: Recipe, part: ExamPart, runFolder: string): Promise<ExamItem[]> {
  const source = recipe.exam[part]
  if (source === undefined) return []
  const all = await loadExam({ ...source, path: locatePath(source.path, runFolder) })
  return selectItems(all, source.items, recipe.seed)
}

export async function loadPromptOptions(recipe: Recipe, shots: readonly ExamItem[]): Promise<PromptOptions> {
  const { answerForm: form, template } = recipe.exam
  return { form, shots, template: template === undefined ? defaultTemplate(form) : await loadTemplate(template, form) }
}

/** Questions that stand in more than one part; training on them would make the test worthless. */
export function compareExams({ past = [], preference = [], test = [] }: Exams): Finding[] {
  const tested = new Set(test.map(questionOf))
  return Object.entries({ past, preference }).flatMap(([part, items]) => {
    const shared = items.filter((item) => tested.has(questionOf(item)))
    const [first] = shared
    if (first === undefined) return []
    const message = `exam.${part}: ${formatCount(shared.length)} questions are in exam.test too, such as ${first.id}. Take them out of one.`
    return [{ severity: 'warning' as const, subject: 'exam' as const, message }]
  })
}

function questionOf({ question, options }: ExamItem): string {
  return JSON.stringify([question, options])
}

/** Whether prompts and outputs fit into the model's context. */
export function checkPromptLengths(
  prompts: Record<Way, number[][]>,
  outputTokens: Record<Way, number>,
  { contextTokens }: ModelConfig,
): Finding[] {
  return (['answer', 'explain'] as const).flatMap((way): Finding[] => {
    const longest = Math.max(0, ...prompts[way].map(({ length }) => length))
    const most = outputTokens[way]
    if (longest >= contextTokens) {
      const message = `the longest question to ${way} has ${formatCount(longest)} tokens; the model's context is ${formatCount(contextTokens)}. Leave out shots, or that question.`
      return [{ severity: 'error', subject: 'exam', message }]
    }
    if (longest + most > contextTokens) {
      const left = contextTokens - longest
      const message = `the longest question to ${way} leaves ${formatCount(left)} tokens of the model's context, not ${formatCount(most)}: outputs may be cut short.`
      return [{ severity: 'warning', subject: 'exam', message }]
    }
    return []
  })
}

/** Prompts as tokens. */
export function encodePrompts(
  items: readonly ExamItem[],
  way: Way,
  options: PromptOptions,
  tokenizer: Tokenizer,
): number[][] {
  return items.map((item) => tokenizer.encode(printPrompt(item, way, options)))
}

// A prompt template of the user's own, as a YAML file.
import { z } from 'zod'
import { readDocument } from '../base/document.ts'
import type { AnswerForm } from './records.ts'
import { defaultTemplate, type PromptTemplate } from './template.ts'

const holding = (...names: string[]) =>
  z
    .string()
    .refine((text) => names.every((name) => text.includes(`{${name}}`)), `must contain {${names.join('} and {')}}.`)

const cue = () => z.string().refine((text) => text.trim() !== '', 'must not be empty.')

const templateSchema = z.strictObject({
  opening: z.string(),
  item: holding('question', 'options'),
  option: holding('letter', 'text'),
  answerCue: cue(),
  explanationCue: cue(),
  beforeAnswer: z.string(),
  letterSeparator: z.string(),
  separator: z.string(),
} satisfies Record<keyof PromptTemplate, z.ZodType>)

/**
 * Reads a template file. Keys that it leaves out are those of the default template of the form.
 * Throws a UserError with file and line for an unknown key, or a piece without its placeholders.
 */
export async function loadTemplate(path: string, form: AnswerForm): Promise<PromptTemplate> {
  const { value } = await readDocument(path, templateSchema.partial())
  return { ...defaultTemplate(form), ...value }
}

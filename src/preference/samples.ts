// Sampled explanations: a sampler's completions, read and graded.
import { isCorrect } from '../exam/grades.ts'
import type { PromptOptions } from '../exam/prompts.ts'
import { readAnswer } from '../exam/reader.ts'
import type { ExamItem } from '../exam/records.ts'
import type { SampledExplanation } from './records.ts'

/** What the sampler wrote: the fields of its completions that are kept. */
export interface WrittenExplanation {
  sample: number
  text: string
  tokens: number[]
  logProbabilities: number[]
  finishReason: SampledExplanation['finishReason']
}

/** Reads and grades one explanation of an item. */
export function gradeSample(
  written: WrittenExplanation,
  item: ExamItem,
  round: number,
  { form, template }: Pick<PromptOptions, 'form' | 'template'>,
): SampledExplanation {
  const { sample, text, tokens, logProbabilities, finishReason } = written
  const read = readAnswer(text, item, { form, way: 'explain', finishReason, answerCue: template.answerCue })
  return {
    id: `${item.id}/${round}/${sample}`,
    question: item.id,
    round,
    sample,
    text,
    tokens,
    logProbabilities,
    finishReason,
    answer: read.answer,
    correct: isCorrect(item, read.answer),
  }
}

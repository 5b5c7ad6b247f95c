// The examination: every item asked every way, read and graded, in a fixed order.
import { internal, UserError } from '../base/errors.ts'
import type { Sampler, SamplingSettings } from '../sampler/sampler.ts'
import { gradeAnswer } from './grades.ts'
import { type PromptOptions, printPrompts } from './prompts.ts'
import { readAnswer } from './reader.ts'
import type { ExamItem, GradedAnswer, Way } from './records.ts'
import { stopStrings } from './template.ts'

export interface ExamineOptions extends PromptOptions {
  sampler: Sampler
  items: readonly ExamItem[]
  ways: readonly Way[]
  /** Decoding, the same for every model that is compared; `stopStrings` here join those of the template. */
  settings: Record<Way, SamplingSettings>
  /** Where they are known: prompts are measured before the first is asked. */
  context?: { tokens: number; encode(text: string): number[] }
  /** After every graded answer. */
  onProgress?(done: number, total: number, last: GradedAnswer): void
}

/**
 * Asks all items one way, then the next way, and yields graded answers in the order of the items, whatever the order in
 * which the sampler finishes. Throws a UserError naming the item when prompt and output do not fit the context.
 */
export async function* examine(options: ExamineOptions, signal: AbortSignal): AsyncGenerator<GradedAnswer> {
  const { sampler, items, ways } = options
  const prompts = printPrompts(items, ways, options)
  checkLengths(prompts, options)
  let done = 0
  for (const way of ways) {
    const requests = prompts
      .filter((record) => record.way === way)
      .map(({ id, prompt }) => ({ id, prompt, samples: 1 }))
    const stops = stopStrings(options.template, options.shots.length)
    const settings = { ...options.settings[way], stopStrings: [...options.settings[way].stopStrings, ...stops] }
    const itemOfId = new Map(items.map((item) => [item.id, item]))
    const waiting = new Map<string, GradedAnswer>()
    let next = 0
    for await (const { id, text, finishReason } of sampler.sample(requests, settings, signal)) {
      const item = itemOfId.get(id) ?? internal(`the sampler answered ${id}, which was not asked`)
      const read = readAnswer(text, item, {
        form: options.form,
        way,
        finishReason,
        answerCue: options.template.answerCue,
      })
      const graded = gradeAnswer(item, way, text, finishReason, read)
      waiting.set(id, graded)
      done++
      options.onProgress?.(done, prompts.length, graded)
      while (next < items.length) {
        const ready = waiting.get(items[next]!.id)
        if (ready === undefined) break
        waiting.delete(ready.id)
        next++
        yield ready
      }
    }
    if (next < items.length) internal(`the sampler left item ${items[next]!.id} unanswered`)
  }
}

function checkLengths(prompts: { id: string; way: Way; prompt: string }[], options: ExamineOptions): void {
  if (options.context === undefined) return
  const { tokens, encode } = options.context
  for (const { id, way, prompt } of prompts) {
    const length = encode(prompt).length
    const { maxTokens } = options.settings[way]
    if (length + maxTokens > tokens) {
      throw new UserError(
        `exam item ${id}: its prompt has ${length} tokens and the output may have ${maxTokens}, but the model's context ends at ${tokens}. Use fewer worked examples (shots), a shorter output, or leave the item out.`,
      )
    }
  }
}

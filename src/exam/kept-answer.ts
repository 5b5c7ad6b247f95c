// Reads records that keep an answer line apart from the text: the line may have come from a later, invented question.
import { judgedOptions } from './judgements.ts'
import { readAnswer } from './reader.ts'
import type { ExamItem, ReadAnswer } from './records.ts'
import { firstSegment } from './segment.ts'

/** A line that hands over to the assistant: an answer line of its own followed, which the recorder took out of the text. */
const NEXT_TURN = /^[^\s。、]{0,20}assistant[ \t]*:?[ \t]*$/im

/** Nothing but letters: a statement, whether or not there are such options. */
const LETTERS = /^\s*[A-Ja-j](?:[\s,、]{0,3}[A-Ja-j]){0,5}\s*$/

/**
 * IgakuQA119's recorder let every line that began with `answer:` overwrite the answer before, wherever it stood, and kept
 * the rest as the explanation. So where the text goes on past its first segment, what that segment says comes first; the
 * kept line counts where it says nothing, unless another turn was answered after it, or a later question is explained by
 * the very letters that were kept. Where the text ends by itself, the kept line counts, and the text where the line is no
 * answer of the form asked for; letters that are no options are one all the same, and a wrong one.
 */
export function readKeptAnswer(kept: string, text: string, item: ExamItem): ReadAnswer {
  const options = { form: 'letter', finishReason: 'end', answerCue: 'answer:' } as const
  const normal = text.normalize('NFKC')
  const { end, wentOn } = firstSegment(normal)
  const line = without(readAnswer(`answer: ${kept}`, item, { ...options, way: 'explain' }), 'kept answer line')
  const rest = without(readAnswer(text, item, { ...options, way: 'explain' }), 'kept text')
  if (!wentOn) {
    if (line.answer === null && LETTERS.test(kept.normalize('NFKC')))
      return nothing('kept answer line: no such options')
    return line.class !== 'answered' && rest.class === 'answered' ? rest : line
  }
  if (rest.answer !== null) return rest
  const later = normal.slice(end)
  if (NEXT_TURN.test(later)) {
    return nothing('kept text: no answer before it goes on, and the kept line belongs to a later turn')
  }
  const { right } = judgedOptions(later)
  if (line.answer?.every((letter) => right.has(letter))) {
    return nothing('kept text: no answer before it goes on, and a later question is explained by the kept letters')
  }
  if (line.class !== 'answered') return line
  return { ...line, class: 'run-on', reason: `${line.reason}; then it goes on to another question or turn` }
}

function nothing(reason: string): ReadAnswer {
  return { answer: null, class: 'none', reason }
}

/** Spans mean nothing here: the output is not whole. */
function without({ span: _, ...read }: ReadAnswer, where: string): ReadAnswer {
  return { ...read, reason: `${where}: ${read.reason}` }
}

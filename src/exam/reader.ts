// The reader: what a model's output says the answer is, with the reason. It sees the first segment of the output only.
import { readLetters } from './letter-reader.ts'
import { readNumber } from './number-reader.ts'
import type { Finding, ReadingTask } from './reading.ts'
import type { AnswerForm, ExamItem, GradedAnswer, ReadAnswer, Way } from './records.ts'
import { firstSegment } from './segment.ts'
import { readOptionText } from './text-reader.ts'

export interface ReadOptions {
  form: AnswerForm
  /** When answering at once the output begins where the prompt's answer cue ended; when explaining, the cue must be in it. */
  way: Way
  finishReason: GradedAnswer['finishReason']
  /** The template's answer cue. */
  answerCue: string
}

/**
 * Reads the answer out of one output. Never throws, and takes time linear in the output's length. The answer is the same
 * for an output and its NFKC form.
 */
export function readAnswer(output: string, item: ExamItem, options: ReadOptions): ReadAnswer {
  const normal = output.normalize('NFKC')
  const segment = firstSegment(normal)
  const wentOn = normal.slice(segment.end).trim() !== ''
  const atLimit = options.finishReason === 'length'
  const task: ReadingTask = {
    item,
    text: normal.slice(segment.start, segment.end),
    way: options.way,
    cue: options.answerCue.normalize('NFKC'),
    cut: atLimit && !wentOn,
  }
  const found = readerFor(item, options.form)(task)
  if (found.answer === null) {
    const kind = found.placeholder ? 'placeholder' : task.cut ? 'truncated' : 'none'
    return {
      answer: null,
      class: kind,
      reason: kind === 'truncated' ? `cut at the limit before an answer; ${found.reason}` : found.reason,
    }
  }
  const answer = [...found.answer].sort()
  const span = originalSpan(output, normal, segment.start + found.start, segment.start + found.end)
  if (!item.gold.some(({ length }) => length === answer.length)) {
    const asked = [...new Set(item.gold.map(({ length }) => length))].join(' or ')
    return { answer, class: 'wrong-count', span, reason: `${found.reason}; ${answer.length} given, ${asked} asked for` }
  }
  if (!wentOn && !atLimit) return { answer, class: 'answered', span, reason: found.reason }
  const how = wentOn ? 'then it goes on to another question or turn' : 'then it does not end within the limit'
  return { answer, class: 'run-on', span, reason: `${found.reason}; ${how}` }
}

function readerFor(item: ExamItem, form: AnswerForm): (task: ReadingTask) => Finding {
  if (item.options.length === 0) return readNumber
  return form === 'letter' ? readLetters : readOptionText
}

/** Maps a span of the NFKC text back to the output, by the lengths of normalised prefixes. */
function originalSpan(output: string, normal: string, start: number, end: number): [number, number] {
  if (output === normal) return [start, end]
  const original = (position: number): number => {
    let low = 0
    let high = output.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (output.slice(0, middle).normalize('NFKC').length < position) low = middle + 1
      else high = middle
    }
    return low
  }
  return [original(start), original(end)]
}

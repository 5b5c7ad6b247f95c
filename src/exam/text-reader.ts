// Reads answers given as an option's text: the line after the last answer cue must be exactly an option.
import { letterOf } from './prompts.ts'
import type { Finding, ReadingTask } from './reading.ts'

/** Finds the option whose text stands alone after the last answer cue (or at the start, when answering at once). */
export function readOptionText({ item, text, way, cue }: ReadingTask): Finding {
  const at = text.lastIndexOf(cue)
  if (at < 0 && way === 'explain') return { answer: null, placeholder: false, reason: `no ${cue} in the output` }
  const from = at < 0 ? 0 : at + cue.length
  const start = from + (/^\s*/.exec(text.slice(from))?.[0].length ?? 0)
  const line = (/^[^\n]*/.exec(text.slice(start))?.[0] ?? '').trimEnd().replace(/。$/, '')
  const where = at < 0 ? 'at the start' : `after ${cue}`
  const letters = optionsIn(line, item.options)
  if (letters === undefined) {
    return { answer: null, placeholder: false, reason: `${where} stands 「${line.slice(0, 40)}」, which is no option` }
  }
  return {
    answer: letters,
    start,
    end: start + line.length,
    reason: `${where} stands the text of ${letters.join(', ')}`,
  }
}

/** The letters of the option that a line is, or of the several that it lists with 「、」 or a comma between. */
function optionsIn(line: string, options: readonly string[]): string[] | undefined {
  const texts = options.map((option) => option.normalize('NFKC').trim())
  const whole = texts.indexOf(line)
  if (whole >= 0) return [letterOf(whole)]
  const parts = line.split(/[、,]/).map((part) => texts.indexOf(part.trim()))
  return parts.includes(-1) || new Set(parts).size < parts.length ? undefined : parts.map(letterOf)
}

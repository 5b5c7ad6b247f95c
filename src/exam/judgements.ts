// Judgements option by option (「c 正しい。d 誤り。」), and the answer that they leave over.
import type { AskedFor } from './asked-for.ts'
import type { OptionTexts } from './letter-list.ts'
import { letterOf } from './prompts.ts'

/** An answer as it was found at [start, end) of the text, and how. */
export interface Statement {
  letters: string[]
  start: number
  end: number
  reason: string
}

const JUDGED =
  /(?<![A-Za-z0-9ァ-ヶー一-龯])([A-Ja-j](?:\s?[、,・~〜と-]\s?[A-Ja-j]){0,5})\s?[:.)]?\s{0,2}(?:は|が)?(正しくない|適切(?:では|で)ない|正しい|正解|適切|合致|妥当|○|〇|誤り|誤って|間違い|不適切|×)/g

/**
 * The options judged right one by one (judged wrong, where the question asks for what is wrong), when they are as many as
 * were asked for and none is judged both ways. Where it asks for what is not so, either way of speaking is met: the
 * statement is wrong, or choosing it is right; then the one that fits alone counts.
 */
export function judgements(text: string, options: OptionTexts, asked: AskedFor): Statement | undefined {
  const { right, wrong } = judgedOptions(text)
  const asRight = judgedAlone(right, wrong, options, 'judged right, option by option')
  const asWrong = judgedAlone(wrong, right, options, 'judged wrong, option by option')
  if (asked === 'right') return asRight
  if (asked === 'wrong') return asWrong
  return asRight === undefined ? asWrong : asWrong === undefined ? asRight : undefined
}

/** The letters of one verdict that have not got the other too, when they are as many as were asked for. */
function judgedAlone(
  verdict: Map<string, number>,
  other: Map<string, number>,
  options: OptionTexts,
  reason: string,
): Statement | undefined {
  const last = letterOf(options.count - 1)
  const letters = [...verdict.keys()].filter((letter) => letter <= last && !other.has(letter)).sort()
  if (!options.asked.has(letters.length)) return undefined
  const start = Math.min(...letters.map((letter) => verdict.get(letter)!))
  return { letters, start, end: start + 1, reason }
}

/** 「b~d」 is b, c and d; 「b、d」 is b and d. */
function lettersIn(list: string): string[] {
  const letters = [...list.toLowerCase().matchAll(/[a-j]/g)].map(([letter]) => letter)
  if (letters.length !== 2 || !/[~〜-]/.test(list)) return letters
  const [first, last] = letters.map((letter) => letter.charCodeAt(0)) as [number, number]
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => String.fromCharCode(first + i))
}

/** The letters that a text judges right and those that it judges wrong, with the place of the last judgement. */
export function judgedOptions(text: string): { right: Map<string, number>; wrong: Map<string, number> } {
  const judged = { right: new Map<string, number>(), wrong: new Map<string, number>() }
  for (const match of text.matchAll(JUDGED)) {
    const verdict = /^(?:正しい|正解|適切$|合致|妥当|○|〇)/.test(match[2]!) ? judged.right : judged.wrong
    for (const letter of lettersIn(match[1]!)) verdict.set(letter, match.index)
  }
  return judged
}

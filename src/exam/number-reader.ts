// Reads numeric answers: 「答え：26」, 「約 7.20」, "1,440 kcal".
import { findMarkers, skipLink } from './marker.ts'
import type { Finding, ReadingTask } from './reading.ts'

/** Stands for a numbered box of the answer sheet (「①2②6」 is 26), so that NFKC does not make a digit of it. */
export const BOX = '\u2060'

const NUMBER =
  /-?\u2060?(?:\d{1,3}(?:,\d{3}){1,4}(?!\d)(?:\.\d{1,9})?|\d[\d\u2060]{0,14}(?:\.\u2060?\d[\d\u2060]{0,8})?)/y
const ALONE =
  /^[ \t*$\u2060]{0,4}(?:約|およそ|≒|=)?[ \t]{0,2}(-?\d[\d\u2060]{0,14}(?:[.,]\u2060?\d{1,9}){0,4})[ \t]{0,2}[^\d\n。]{0,12}[。*$]{0,2}[ \t]*$/gm
/** After a number at the start of an output: its unit, and no calculation. */
const UNIT = /^[^\d\n=+×÷*/-]{0,12}(?:\/[^\d\n]{0,6})?(?:[。\n]|$)/

/** Finds the number after the last answer marker, at the start when answering at once, or alone on the last line. */
export function readNumber({ text, way, cue, cut }: ReadingTask): Finding {
  const markers = findMarkers(text, cue)
  if (way === 'answer') markers.unshift({ start: 0, ...skipLink(text, 0) })
  for (const marker of [...markers].reverse()) {
    if (marker.placeholder) continue
    NUMBER.lastIndex = marker.end
    const found = NUMBER.exec(text)?.[0]
    if (found === undefined) continue
    const end = marker.end + found.length
    const atStart = marker.start === 0 && way === 'answer'
    if (atStart && !UNIT.test(text.slice(end, end + 30))) continue
    const reason = atStart ? 'at the start' : 'after an answer marker'
    return { answer: [plain(found)], start: marker.end, end, reason }
  }
  const line = cut ? undefined : [...text.matchAll(ALONE)].at(-1)
  if (line !== undefined) {
    const start = line.index + line[0].indexOf(line[1]!)
    return { answer: [plain(line[1]!)], start, end: start + line[1]!.length, reason: 'alone on a line' }
  }
  return markers.some(({ placeholder }) => placeholder)
    ? { answer: null, placeholder: true, reason: "the prompt's placeholder stands where the answer belongs" }
    : { answer: null, placeholder: false, reason: 'no statement of a number' }
}

function plain(number: string): string {
  return number.replaceAll(',', '').replaceAll(BOX, '')
}

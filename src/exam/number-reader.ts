// Reads numeric answers: 「答え：26」, 「約 7.20」, "1,440 kcal".
import { findMarkers, skipLink } from './marker.ts'
import type { Finding, ReadingTask } from './reading.ts'

const NUMBER = /-?\d{1,3}(?:,\d{3}){1,4}(?![\d])(?:\.\d{1,9})?|-?\d{1,15}(?:\.\d{1,9})?/y
const LINE =
  /^[ \t*$]{0,4}(?:約|およそ|≒|=)?[ \t]{0,2}(-?\d{1,15}(?:[.,]\d{1,9})*)[ \t]{0,2}[^\d\n。]{0,12}[。*$]{0,2}[ \t]*$/gm

/** Finds the number after the last answer marker, at the start when answering at once, or alone on the last line. */
export function readNumber({ text, way, cue, cut }: ReadingTask): Finding {
  const markers = findMarkers(text, cue)
  if (way === 'answer') markers.unshift({ start: 0, ...skipLink(text, 0) })
  for (const marker of [...markers].reverse()) {
    if (marker.placeholder) continue
    NUMBER.lastIndex = marker.end
    const found = NUMBER.exec(text)?.[0]
    if (found === undefined) continue
    const reason = marker.start === 0 && way === 'answer' ? 'at the start' : 'after an answer marker'
    return { answer: [plain(found)], start: marker.end, end: marker.end + found.length, reason }
  }
  const line = cut ? undefined : [...text.matchAll(LINE)].at(-1)
  if (line !== undefined) {
    const start = line.index + line[0].indexOf(line[1]!)
    return { answer: [plain(line[1]!)], start, end: start + line[1]!.length, reason: 'alone on a line' }
  }
  return markers.some(({ placeholder }) => placeholder)
    ? { answer: null, placeholder: true, reason: "the prompt's placeholder stands where the answer belongs" }
    : { answer: null, placeholder: false, reason: 'no statement of a number' }
}

function plain(number: string): string {
  return number.replaceAll(',', '')
}

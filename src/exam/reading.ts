// What a reader is given and what it finds, whatever the form of the answers.
import type { ExamItem, Way } from './records.ts'

/** One output made ready for a reader: NFKC, its first segment. */
export interface ReadingTask {
  item: ExamItem
  /** The first segment in NFKC. */
  text: string
  way: Way
  /** The answer cue in NFKC, without blanks around it; never empty. */
  cue: string
  /** Cut at the limit inside the first segment: only an explicit answer counts, what an explanation leads to does not. */
  cut: boolean
}

/** What a reader found: an answer at [start, end) of the task's text, or why there is none. */
export type Finding =
  | { answer: string[]; start: number; end: number; reason: string }
  | { answer: null; placeholder: boolean; reason: string }

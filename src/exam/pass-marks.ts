// Passing: the marks of each part and the prohibited options, with conditional items as the ministry counts them.
import { sumPoints } from './described-items.ts'
import type { ExamDescription } from './description.ts'
import type { ExamItem, ExamPart } from './records.ts'

export interface Mark {
  points: number
  /** What could be won: conditional items that were not answered right are taken out. */
  possible: number
  needed: number
  met: boolean
}

export interface PassResult {
  passed: boolean
  compulsory?: Mark
  general?: Mark
  /** Items with a prohibited option chosen; `known` is false where the data names no such options. */
  prohibited?: { items: number; allowed: number; met: boolean; known: boolean }
  /** What was taken for granted. */
  assumptions: string[]
}

interface Judged {
  item: ExamItem
  correct: boolean
  answer: readonly string[] | null
}

/** Whether the answers of one year pass; undefined where its description has no marks. All its items must be there. */
export function judgePass(judged: readonly Judged[], year: ExamDescription['years'][string]): PassResult | undefined {
  const { pass } = year
  if (pass === undefined) return undefined
  const assumptions: string[] = []
  const conditional = judged.filter(({ item }) => item.conditional)
  if (conditional.length > 0) {
    assumptions.push(
      `conditional items (${conditional.map(({ item }) => item.id).join(', ')}) count where they are right and leave the total where they are wrong`,
    )
  } else if (pass.compulsoryShare !== undefined) {
    assumptions.push('no conditional compulsory items are listed, so none leaves the total')
  }
  const ofPart = (part: ExamPart) => {
    const counted = judged.filter(({ item, correct }) => item.part === part && (correct || !item.conditional))
    return {
      points: sumPoints(counted.filter(({ correct }) => correct).map(({ item }) => item)),
      possible: sumPoints(counted.map(({ item }) => item)),
    }
  }
  const mark = (part: ExamPart, need: (possible: number) => number): Mark => {
    const { points, possible } = ofPart(part)
    const needed = need(possible)
    return { points, possible, needed, met: points >= needed }
  }
  const { compulsoryShare, generalPoints, prohibitedItems } = pass
  const marks = {
    // Rounded first: 0.8 x 200 in floating point is a hair above 160.
    ...(compulsoryShare !== undefined && {
      compulsory: mark('compulsory', (possible) => Math.ceil(Math.round(compulsoryShare * possible * 1e6) / 1e6)),
    }),
    ...(generalPoints !== undefined && { general: mark('general', () => generalPoints) }),
    ...(prohibitedItems !== undefined && { prohibited: countProhibited(judged, prohibitedItems) }),
  }
  if (marks.prohibited) {
    assumptions.push(
      marks.prohibited.known
        ? 'prohibited options are an unofficial list; the official one is not published'
        : 'no prohibited options are known, so none counts',
    )
  }
  return { passed: Object.values(marks).every(({ met }) => met), ...marks, assumptions }
}

function countProhibited(judged: readonly Judged[], allowed: number) {
  const chosen = judged.filter(({ item, answer }) => answer?.some((letter) => item.prohibited?.includes(letter)))
  const known = judged.some(({ item }) => item.prohibited !== undefined)
  return { items: chosen.length, allowed, met: chosen.length <= allowed, known }
}

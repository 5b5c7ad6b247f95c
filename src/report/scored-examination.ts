// Scored systems as an examination's report takes them.
import type { LocatedOverlap } from '../data/exam-overlap.ts'
import type { Exam } from '../exam/exam.ts'
import { assumptionsOf, type SystemScore } from '../exam/score.ts'
import { compareAll } from '../stats/comparisons.ts'
import type { ExaminationInput } from './examination-report.ts'

/** @param overlaps what a search of the training texts has found, where there was one. */
export function examinationOf(
  { description }: Exam,
  scores: readonly SystemScore[],
  overlaps?: readonly LocatedOverlap[],
): ExaminationInput {
  return {
    title: description.title,
    reading: [...new Set(scores.map(({ reading }) => reading))].join(', '),
    licence: description.licence,
    systems: scores.map((score) => ({ ...score, ...wayOf(score) })),
    comparisons: compareAll(
      scores.map(({ name, scored }) => ({ name, right: scored.map(({ reading }) => reading.correct) })),
    ),
    ...(overlaps !== undefined && { overlaps }),
    notes: [
      ...scores.flatMap(({ name, missing }) => {
        if (missing.length === 0) return []
        const many = missing.length === 1 ? '1 item, which counts' : `${missing.length} items, which count`
        return [`${name} has no answer to ${many} as wrong.`]
      }),
      ...assumptionsOf(scores).map((assumption) => `Assumed for passing: ${assumption}.`),
    ],
  }
}

/** The way of a system's answers, where it is one. */
function wayOf({ scored }: SystemScore): Pick<ExaminationInput['systems'][number], 'way'> {
  const [way, other] = new Set(scored.flatMap(({ answer }) => answer?.way ?? []))
  return way === undefined || other !== undefined ? {} : { way }
}

// What `meikai score` says as JSON: the scores, intervals and comparisons.
import { type Accuracy, accuracyOf, bootstrapByCase } from '../exam/accuracy.ts'
import type { Exam } from '../exam/exam.ts'
import type { ReadingName } from '../exam/reading-names.ts'
import { changedItems, type SystemScore } from '../exam/score.ts'
import { type Comparison, compareAll } from '../stats/comparisons.ts'

/** What is shown besides the scores themselves. */
export interface ScoreViews {
  /** Another reading, whose differing items are listed. */
  other: ReadingName | undefined
  /** Items found in training texts; results stand with and without them. */
  found: ReadonlySet<string> | undefined
}

/** The result as one JSON object. */
export function describeScores(exam: Exam, scores: readonly SystemScore[], { other, found }: ScoreViews) {
  return {
    type: 'scores',
    exam: exam.description.name,
    systems: scores.map((score) => ({
      name: score.name,
      reading: score.reading,
      years: score.years,
      total: score.total,
      ...accuracyOf(score.scored),
      classes: score.classes,
      missing: score.missing,
      spread: score.spread,
      ...(found && { withoutFound: withoutFound(score, found) }),
      ...(other && { changes: changedItems(score, other) }),
    })),
    comparisons: compareScores(scores).map((one) => ({
      ...one,
      clustered: clusteredDifference(scores, one),
      years: differenceByYear(scores, one),
    })),
  }
}

/** The difference's interval with whole cases drawn within each year. */
function clusteredDifference(scores: readonly SystemScore[], { first, second }: Comparison) {
  const [one, other] = [first, second].map((name) => scores.find((score) => score.name === name)!.scored)
  return bootstrapByCase(
    one!,
    one!.map(({ reading }, i) => Number(reading.correct) - Number(other![i]!.reading.correct)),
  )
}

/** The difference of accuracy in each year, which are the strata of the whole. */
function differenceByYear(scores: readonly SystemScore[], { first, second }: Comparison): Record<string, number> {
  const [one, other] = [first, second].map((name) => scores.find((score) => score.name === name)!.years)
  return Object.fromEntries(
    Object.entries(one!).map(([year, { correct, items }]) => [year, (correct - other![year]!.correct) / items]),
  )
}

/** Every pair of systems on the same items. */
export function compareScores(scores: readonly SystemScore[]): Comparison[] {
  return compareAll(scores.map(({ name, scored }) => ({ name, right: scored.map(({ reading }) => reading.correct) })))
}

/** The items alone that were not found in texts. */
export function withoutFound({ scored }: SystemScore, found: ReadonlySet<string>): Accuracy {
  return accuracyOf(scored.filter(({ item }) => !found.has(item.id)))
}

// Names as people write them: a recipe's cpt+rpo is CPT+RPO on the page. report.json keeps the recipe's own.
import type { TrainingSummary } from './curves.ts'
import type { ReportInput } from './report-input.ts'
import type { ExamSummary } from './summary.ts'

/** What the page and the Markdown print. */
export interface Displayed {
  input: ReportInput
  exam: ExamSummary
  trainings: TrainingSummary[]
}

/** Variant names and stage titles with their abbreviations in capitals, everywhere at once; unchanged where two names would meet. */
export function withDisplayNames({ input, exam, trainings }: Displayed): Displayed {
  const names = input.variants.map(({ name }) => capitalised(name))
  if (new Set(names).size < names.length) return { input, exam, trainings }
  const renamed = <T extends { title: string; variants: string[] }>(part: T): T => ({
    ...part,
    title: capitalised(part.title),
    variants: part.variants.map(capitalised),
  })
  return {
    input: {
      ...input,
      stages: input.stages.map(renamed),
      variants: input.variants.map((variant) => ({ ...variant, name: capitalised(variant.name) })),
      trainings: input.trainings.map(renamed),
      pairs: input.pairs.map(renamed),
    },
    exam: {
      ...exam,
      variants: Object.fromEntries(Object.entries(exam.variants).map(([name, one]) => [capitalised(name), one])),
      comparisons: exam.comparisons.map((one) => ({
        ...one,
        variant: capitalised(one.variant),
        against: capitalised(one.against),
      })),
    },
    trainings: trainings.map(renamed),
  }
}

function capitalised(text: string): string {
  return text.replace(/\b(?:cpt|rpo|dpo)\b/g, (abbreviation) => abbreviation.toUpperCase())
}

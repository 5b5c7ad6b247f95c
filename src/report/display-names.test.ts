import { expect, it } from 'vitest'
import { withDisplayNames } from './display-names.ts'
import type { ReportInput } from './report-input.ts'
import { summariseExam } from './summary.ts'

function input(...names: string[]): ReportInput {
  return {
    run: { name: 'cpt', seed: 0, threads: 1, versions: {}, hosts: [], sources: [] },
    recipe: {},
    stages: [{ id: 'prefer-cpt+rpo', title: 'RPO (cpt+rpo)', seconds: 1, variants: names }],
    items: [],
    variants: names.map((name) => ({ name, role: 'other', answers: {} })),
    trainings: [],
    pairs: [],
    probes: [],
    notes: [],
  }
}

function namesOf(given: ReportInput): string[] {
  const shown = withDisplayNames({ input: given, exam: summariseExam(given), trainings: [] })
  expect(Object.keys(shown.exam.variants)).toEqual(shown.input.variants.map(({ name }) => name))
  expect(shown.input.stages[0]!.variants).toEqual(Object.keys(shown.exam.variants))
  return Object.keys(shown.exam.variants)
}

it('writes abbreviations in capitals, and leaves other words and ids alone', () => {
  const given = input('base', 'cpt', 'cpt+winners', 'rpo', 'my-scpt')
  expect(namesOf(given)).toEqual(['base', 'CPT', 'CPT+winners', 'RPO', 'my-scpt'])
  const { stages, run } = withDisplayNames({ input: given, exam: summariseExam(given), trainings: [] }).input
  expect(stages[0]).toMatchObject({ id: 'prefer-cpt+rpo', title: 'RPO (CPT+RPO)' })
  expect(run.name).toBe('cpt')
})

it('keeps names apart that would become one', () => {
  expect(namesOf(input('cpt', 'CPT'))).toEqual(['cpt', 'CPT'])
})

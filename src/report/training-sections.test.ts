// The report's sections on training, at the length of long trainings.
import { expect, it } from 'vitest'
import { exampleInput } from '../../test/report-example.ts'
import type { TrainingEvent } from '../base/progress.ts'
import { summariseTraining } from './curves.ts'
import { preferenceSection } from './training-sections.ts'

it('draws trainings of a hundred thousand steps on one scale', () => {
  const input = exampleInput()
  const [template] = input.trainings.flatMap(({ events }) =>
    events.filter((event) => event.type === 'step-end' && event.preference !== undefined),
  )
  const training = input.trainings.find(({ events }) => events.includes(template!))!
  const events = Array.from({ length: 100_000 }, (_, i) => ({ ...template, step: i + 1 }) as TrainingEvent)
  const long = { ...input, trainings: [{ ...training, events }] }
  expect(preferenceSection(long, long.trainings.map(summariseTraining)).text).toMatch(/100,?000/)
})

// The medical exam, divided: past (may be read), preference (pairs are made from it), test (never trained on).
import { Random } from '../base/random.ts'
import type { ExamItem } from '../exam/records.ts'
import { nameType, type QuestionType, questionTypes, writeQuestion } from './questions.ts'
import type { Entity, World } from './world.ts'

/** A disease and a type of question; its options are drawn whenever it is printed. */
export interface ExamQuestion {
  id: string
  entity: Entity
  type: QuestionType
}

export type SplitName = 'past' | 'preference' | 'test'

/** Shares of the questions; the rest is the test. */
const shares = { past: 0.45, preference: 0.25 }

/** Divides the medical questions by the seed. */
export function splitExam(world: World, seed: number): Record<SplitName, ExamQuestion[]> {
  const { medicine } = world
  const all = medicine.entities.flatMap((entity, i) =>
    questionTypes(medicine).map((type) => ({
      id: `${String(i + 1).padStart(2, '0')}-${nameType(type)}`,
      entity,
      type,
    })),
  )
  const shuffled = new Random(seed, 'miniature', 'splits').shuffled(all)
  const past = Math.round(all.length * shares.past)
  const preference = past + Math.round(all.length * shares.preference)
  return {
    past: shuffled.slice(0, past),
    preference: shuffled.slice(past, preference),
    test: shuffled.slice(preference),
  }
}

/** The questions printed once each, as exam items. */
export function writeItems(world: World, questions: readonly ExamQuestion[], seed: number): ExamItem[] {
  return questions.map(({ id, entity, type }) =>
    writeQuestion(world.medicine, entity, type, id, new Random(seed, 'miniature', 'item', id)),
  )
}

import { describe, expect, it } from 'vitest'
import type { GradedAnswer, Way } from '../exam/records.ts'
import type { ReportInput, ReportItem, ReportVariant } from './report-input.ts'
import { summariseExam } from './summary.ts'

const ITEMS: ReportItem[] = [
  { id: '1', question: 'one', options: ['x', 'y', 'z', 'v', 'w'], gold: [['a']], points: 1, kind: 'near' },
  { id: '2', question: 'two', options: ['x', 'y', 'z', 'v', 'w'], gold: [['a', 'b']], points: 3, kind: 'far' },
  { id: '3', question: 'three', options: ['x', 'y', 'z', 'v', 'w'], gold: [['a'], ['c']], points: 1, kind: 'near' },
  { id: '4', question: 'four', options: [], gold: [['36']], points: 0 },
]

/** A string of marks, one an item: + right, - wrong, ? unreadable, r run-on but right, t truncated. */
function answers(way: Way, marks: string): GradedAnswer[] {
  const classes: Record<string, GradedAnswer['class']> = { '?': 'none', r: 'run-on', t: 'truncated' }
  return [...marks].map((mark, index) => ({
    id: ITEMS[index]!.id,
    way,
    output: mark.repeat(index + 1),
    finishReason: 'end',
    answer: mark === '?' || mark === 't' ? null : ['a'],
    correct: mark === '+' || mark === 'r',
    points: ITEMS[index]!.points,
    class: classes[mark] ?? 'answered',
    reason: 'made up',
    kind: ITEMS[index]!.kind,
  }))
}

function input(variants: [name: string, role: ReportVariant['role'], answer: string, explain?: string][]): ReportInput {
  return {
    run: { name: 'test', seed: 0, threads: 1, versions: {}, hosts: [], sources: [] },
    recipe: {},
    stages: [],
    items: ITEMS,
    variants: variants.map(([name, role, answer, explain]) => ({
      name,
      role,
      answers: { answer: answers('answer', answer), ...(explain ? { explain: answers('explain', explain) } : {}) },
    })),
    trainings: [],
    pairs: [],
    probes: [],
    notes: [],
  }
}

describe('summariseExam', () => {
  it('counts answers, points and classes of each way', () => {
    const { variants } = summariseExam(input([['CPT', 'pretrained', '+r?-', '-+t+']]))
    expect(variants.CPT!.answer).toMatchObject({
      items: 4,
      correct: 2,
      accuracy: 0.5,
      points: 4,
      possiblePoints: 5,
      unreadable: 1,
      runOn: 1,
      truncated: 0,
      meanCharacters: 2.5,
    })
    expect(variants.CPT!.explain).toMatchObject({ correct: 2, points: 3, unreadable: 0, truncated: 1 })
    expect(variants.CPT!.cells).toEqual({ rightRight: 1, rightWrong: 1, wrongRight: 1, wrongWrong: 1 })
    expect(variants.CPT!.drop).toMatchObject({ items: 4, difference: 0, firstOnly: 1, secondOnly: 1, p: 1 })
  })

  it('counts by kind, items without a kind in none', () => {
    const { kinds } = summariseExam(input([['CPT', 'pretrained', '+--+', '++++']])).variants.CPT!
    expect(Object.keys(kinds)).toEqual(['near', 'far'])
    expect(kinds.near!.answer).toMatchObject({ items: 2, correct: 1 })
    expect(kinds.far!.explain).toMatchObject({ items: 1, correct: 1 })
  })

  it('has no drop where one way is missing, and no accuracy where no item is', () => {
    expect(summariseExam(input([['base', 'base', '++++']])).variants.base).not.toHaveProperty('drop')
    expect(summariseExam(input([['base', 'base', '', '']])).variants.base).toEqual({ role: 'base', kinds: {} })
  })

  it('draws whole cases where questions share one: wider intervals than for independent questions', () => {
    const given = input([['CPT', 'pretrained', '++--', '--++']])
    const independent = summariseExam(given)
    expect(independent.clustered).toBe(false)
    for (const answer of Object.values(given.variants[0]!.answers).flat())
      answer.cluster = Number(answer.id) < 3 ? 'x' : 'y'
    const { clustered, variants } = summariseExam(given)
    expect(clustered).toBe(true)
    expect(variants.CPT!.answer!.interval).toEqual({ low: 0, high: 1 })
    expect(variants.CPT!.drop!.interval).toEqual({ low: -1, high: 1 })
    expect(independent.variants.CPT!.drop!.interval!.high).toBeLessThan(1)
  })

  it('compares on shared items only, whatever the order', () => {
    const given = input([['CPT', 'pretrained', '+++-', '+--+']])
    given.variants[0]!.answers.explain!.reverse().pop() // item 1 was not explained
    expect(summariseExam(given).variants.CPT!.drop).toMatchObject({ items: 3, firstOnly: 2, secondOnly: 1 })
  })

  it('sets every variant against the pretrained one, and RPO against its rivals', () => {
    const { comparisons } = summariseExam(
      input([
        ['base', 'base', '----'],
        ['CPT', 'pretrained', '++--', '+---'],
        ['RPO', 'rpo', '++--', '++++'],
        ['DPO', 'dpo', '++--', '++--'],
      ]),
    )
    expect(comparisons.map(({ variant, against, way, difference }) => [variant, against, way, difference])).toEqual([
      ['base', 'CPT', 'answer', -0.5],
      ['RPO', 'CPT', 'answer', 0],
      ['RPO', 'CPT', 'explain', 0.75],
      ['DPO', 'CPT', 'answer', 0],
      ['DPO', 'CPT', 'explain', 0.25],
      ['RPO', 'DPO', 'answer', 0],
      ['RPO', 'DPO', 'explain', 0.5],
    ])
  })

  it('knows the chance of a random choice: 1 of 5, 1 of 10 pairs, 2 of 5, none for numbers', () => {
    expect(summariseExam(input([])).chance).toBeCloseTo((1 / 5 + 1 / 10 + 2 / 5 + 0) / 4, 12)
  })
})

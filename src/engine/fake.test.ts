// The fake engine keeps the contract and remembers what it was asked.
import { expect, it } from 'vitest'
import { describeEngine } from './engine.contract.ts'
import { FakeEngine } from './fake.ts'

const engine = new FakeEngine()
describeEngine('the fake engine', engine)

it('records its jobs', () => {
  expect(engine.jobs.map((job) => job.objective.kind)).toContain('preference')
  expect(engine.estimated.length).toBeGreaterThan(0)
})

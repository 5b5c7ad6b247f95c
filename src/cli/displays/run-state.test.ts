import { expect, test } from 'vitest'
import type { RunEvent, ServerEvent } from '../../base/progress.ts'
import { advance, type RunState, secondsLeft, startState } from './run-state.ts'
import { describeProgress } from './wording.ts'

function fold(events: [number, RunEvent][]): RunState {
  return events.reduce((state, [now, event]) => advance(state, event, now), startState())
}

const stage = { stage: 'pretrain' }
const begin: [number, RunEvent][] = [
  [0, { type: 'run-start', name: 'x', folder: '/x', stages: [{ id: 'pretrain', state: 'new' }] }],
  [10, { type: 'stage-start', ...stage, index: 0, count: 1 }],
]

function step(number: number, tokens = 100, seconds = 1): RunEvent {
  const event = { type: 'step-end' as const, step: number, loss: 1, learningRate: 1, gradientNorm: 1, tokens, seconds }
  return { type: 'training', ...stage, event }
}

function start(steps: number, firstStep: number): RunEvent {
  return {
    type: 'training',
    ...stage,
    event: { type: 'training-start', steps, firstStep, trainableParameters: 1, threads: 1 },
  }
}

test('time left goes by the pace since this process began, not by steps of an earlier one', () => {
  // Resumed at step 41 of 100: the first 40 are told again at once, then a step takes 2 s.
  const told: [number, RunEvent][] = [1, 20, 40].map((number) => [20, step(number)])
  const { current } = fold([...begin, [20, start(100, 41)], ...told, [22, step(41)], [24, step(42)]])
  expect(current).toMatchObject({ number: 1, count: 1, done: 42, total: 100, unit: 'steps' })
  expect(secondsLeft(current!, 24)).toBeCloseTo(2 * 58)
})

test('there is no time left to tell before anything was done', () => {
  expect(secondsLeft(fold([...begin, [20, start(100, 1)]]).current!, 30)).toBeUndefined()
})

test('counting starts anew with another part of the stage', () => {
  const progress = (done: number, total: number, unit: string): RunEvent => ({
    type: 'stage-progress',
    ...stage,
    done,
    total,
    unit,
  })
  const first = fold([...begin, [10, progress(0, 10, 'files')], [20, progress(10, 10, 'files')]])
  const second = advance(advance(first, progress(0, 100, 'texts'), 20), progress(50, 100, 'texts'), 25)
  expect(secondsLeft(second.current!, 25)).toBeCloseTo(5)
})

test('tokens a second are a running mean over steps', () => {
  const { current } = fold([...begin, [20, start(9, 1)], [21, step(1, 1000, 1)], [22, step(2, 2000, 1)]])
  expect(current?.tokensPerSecond).toBeCloseTo(1100)
})

test('the last sample, note and held-out loss stay until there are others', () => {
  const progress: RunEvent = { type: 'stage-progress', ...stage, done: 1, total: 4, unit: 'texts' }
  const evaluation: RunEvent = {
    type: 'training',
    ...stage,
    event: { type: 'evaluation-end', step: 1, set: 'general', loss: 2.5, tokens: 10 },
  }
  const { current } = fold([
    ...begin,
    [11, { ...progress, sample: 'one', note: 'n' }],
    [12, evaluation],
    [13, progress],
  ])
  expect(current).toMatchObject({ sample: 'one', note: 'n', heldOut: { general: 2.5 } })
})

test('a server is waited for until it answers, and the pace is counted from then on', () => {
  const event = (event: ServerEvent): RunEvent => ({ type: 'server', ...stage, event })
  const progress = (done: number): RunEvent => ({ type: 'stage-progress', ...stage, done, total: 10, unit: 'samples' })
  const waiting = fold([
    ...begin,
    [12, progress(0)],
    [14, progress(2)],
    [10, event({ type: 'server-start', serves: 'run/cpt', start: 1, log: '/log' })],
    [70, event({ type: 'server-wait', serves: 'run/cpt', state: 'running', seconds: 60, said: 'loads' })],
  ])
  expect(describeProgress(waiting.current!, 72)).toBe('waits for the server of run/cpt · 1 min 2 s · loads')
  const queued = event({ type: 'server-wait', serves: 'run/cpt', state: 'waiting', seconds: 60 })
  expect(describeProgress(advance(waiting, queued, 70).current!, 70)).toMatch(/1 min 0 s · in Slurm's queue$/)
  const ready: [number, RunEvent][] = [
    [100, event({ type: 'server-ready', serves: 'run/cpt', seconds: 90 })],
    [104, progress(4)],
  ]
  const { current } = ready.reduce((state, [now, one]) => advance(state, one, now), waiting)
  expect(current?.server).toBeUndefined()
  expect(secondsLeft(current!, 104)).toBeCloseTo(12)
})

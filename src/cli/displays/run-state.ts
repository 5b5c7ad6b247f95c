// What is known of a running recipe, folded from its events: the state that live and plain displays show.
import type { RunEvent, ServerEvent, TrainingEvent } from '../../base/progress.ts'

export interface RunState {
  name: string
  folder: string
  /** Ids of all stages in order. */
  stages: string[]
  current: StageState | undefined
}

export interface StageState {
  stage: string
  /** Counted from 1. */
  number: number
  count: number
  /** When it started, in seconds. */
  startedAt: number
  done: number
  /** 0 while it is not known how much there is to do. */
  total: number
  unit: string
  /** Where `done` stood when this process began to count, and when that was: what time left is computed from. */
  countedFrom: { done: number; at: number }
  loss: number | undefined
  tokensPerSecond: number | undefined
  /** Held-out losses by the set's name, the latest. */
  heldOut: Record<string, number>
  note: string | undefined
  /** The last sample seen. */
  sample: string | undefined
  /** The server that it waits for, since when, and the last line of that one's log. */
  server: { serves: string; isQueued: boolean; since: number; said: string | undefined } | undefined
}

/** How much the latest step counts in the running mean of tokens a second. */
const latestShare = 0.1

export function startState(): RunState {
  return { name: '', folder: '', stages: [], current: undefined }
}

/** The state after an event. `now` in seconds, from any clock that runs on. */
export function advance(state: RunState, event: RunEvent, now: number): RunState {
  switch (event.type) {
    case 'run-start':
      return { name: event.name, folder: event.folder, stages: event.stages.map(({ id }) => id), current: undefined }
    case 'stage-start':
      return { ...state, current: startStage(event.stage, event.index + 1, event.count, now) }
    case 'stage-progress': {
      const stage = counted(stageOf(state, event.stage, now), event.done, event.total, event.unit, now)
      const { note = stage.note, sample = stage.sample } = event
      return { ...state, current: { ...stage, note, sample } }
    }
    case 'training':
      return { ...state, current: train(stageOf(state, event.stage, now), event.event, now) }
    case 'server':
      return { ...state, current: wait(stageOf(state, event.stage, now), event.event, now) }
    case 'stage-end':
      return { ...state, current: undefined }
    case 'warning':
    case 'run-end':
      return state
  }
}

function startStage(stage: string, number: number, count: number, now: number): StageState {
  return {
    stage,
    number,
    count,
    startedAt: now,
    done: 0,
    total: 0,
    unit: '',
    countedFrom: { done: 0, at: now },
    loss: undefined,
    tokensPerSecond: undefined,
    heldOut: {},
    note: undefined,
    sample: undefined,
    server: undefined,
  }
}

function stageOf(state: RunState, stage: string, now: number): StageState {
  if (state.current?.stage === stage) return state.current
  return startStage(stage, state.stages.indexOf(stage) + 1, state.stages.length, now)
}

/** Counting starts anew where the unit or the total changes: another part of the stage has begun. */
function counted(stage: StageState, done: number, total: number, unit: string, now: number): StageState {
  const goesOn = stage.unit === unit && stage.total === total && done >= stage.done
  return { ...stage, done, total, unit, countedFrom: goesOn ? stage.countedFrom : { done, at: now } }
}

function train(stage: StageState, event: TrainingEvent, now: number): StageState {
  switch (event.type) {
    case 'training-start':
      return {
        ...counted(stage, event.firstStep - 1, event.steps, 'steps', now),
        loss: undefined,
        tokensPerSecond: undefined,
      }
    case 'step-end': {
      const rate = event.tokens / event.seconds
      const { tokensPerSecond: before = rate } = stage
      return {
        ...stage,
        done: Math.max(stage.done, event.step), // a resumed training first tells its earlier steps again
        loss: event.loss,
        tokensPerSecond: before + latestShare * (rate - before),
      }
    }
    case 'evaluation-end':
      return { ...stage, heldOut: { ...stage.heldOut, [event.set]: event.loss } }
    case 'checkpoint-saved':
    case 'training-interrupted':
    case 'training-end':
      return stage
  }
}

/** A server that starts; the pace of the work is counted anew once it answers. */
function wait(stage: StageState, event: ServerEvent, now: number): StageState {
  switch (event.type) {
    case 'server-start':
      return { ...stage, server: { serves: event.serves, isQueued: false, since: now, said: undefined } }
    case 'server-wait': {
      const { serves, state, seconds, said } = event
      return { ...stage, server: { serves, isQueued: state === 'waiting', since: now - seconds, said } }
    }
    case 'server-ready':
      return { ...stage, server: undefined, countedFrom: { done: stage.done, at: now } }
    case 'server-lost':
      return stage
  }
}

/** Seconds until the stage's count is full, from the pace so far; undefined while there is none to go by. */
export function secondsLeft({ done, total, countedFrom }: StageState, now: number): number | undefined {
  const elapsed = now - countedFrom.at
  const counted = done - countedFrom.done
  if (total === 0 || counted <= 0 || elapsed < 1) return undefined
  return (elapsed / counted) * (total - done)
}

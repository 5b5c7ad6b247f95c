// Plain lines for a file or a pipe: what starts and ends, and now and then how far it is.
import type { Display, Output } from './display.ts'
import { advance, startState } from './run-state.ts'
import { describeEnd, describeFinish, describeProgress, describeStart, place } from './wording.ts'

/** At most one line of progress in this many seconds. */
const progressSeconds = 10

/** @param clock the time in seconds. */
export function plainDisplay(output: Output, clock = () => performance.now() / 1000): Display {
  let state = startState()
  let toldAt = clock()
  const say = (text: string) => output.write(`${text}\n`)
  return {
    show(event) {
      const now = clock()
      state = advance(state, event, now)
      switch (event.type) {
        case 'run-start':
          describeStart(event).forEach(say)
          return
        case 'stage-start':
          toldAt = now
          return
        case 'stage-end':
          if (!event.kept) say(describeEnd(event, state.stages))
          return
        case 'warning':
          say(`warning: ${event.stage === undefined ? '' : `${event.stage}: `}${event.message}`)
          return
        case 'run-end':
          say(describeFinish(event))
          return
        case 'stage-progress':
        case 'training':
        case 'server': {
          const { current } = state
          if (current === undefined || now - toldAt < progressSeconds) return
          toldAt = now
          say(`${place(current.number, current.count)} ${current.stage}  ${describeProgress(current, now)}`)
        }
      }
    },
    say,
    end: () => {},
  }
}

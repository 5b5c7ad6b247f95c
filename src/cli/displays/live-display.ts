// The live display of a terminal: finished stages scroll up, the one at work stands below and is redrawn in place.
import { createLogUpdate } from 'log-update'
import colors from 'picocolors'
import type { Display } from './display.ts'
import { advance, startState } from './run-state.ts'
import { fitColumns } from './text-width.ts'
import { describeEnd, describeFinish, describeProgress, describeStart, place } from './wording.ts'

/** Redrawn at most this often by events, and this often without any, so that the time goes on. */
const redrawMilliseconds = 100
const idleMilliseconds = 1000

export function liveDisplay(stream: NodeJS.WriteStream): Display {
  const area = createLogUpdate(stream)
  const clock = () => performance.now() / 1000
  let state = startState()
  let notice: string | undefined
  let drawnAt = 0
  let ended = false

  const draw = () => {
    drawnAt = performance.now()
    const { current } = state
    const lines: string[] = []
    // A column stays free: terminals differ in what a full line does.
    const cutLine = (text: string) => fitColumns(text, (stream.columns || 80) - 1)
    if (current !== undefined) {
      lines.push(
        cutLine(`▸ ${place(current.number, current.count)} ${current.stage}  ${describeProgress(current, clock())}`),
      )
      if (current.sample !== undefined) lines.push(colors.dim(cutLine(`    ${current.sample}`)))
    }
    if (notice !== undefined) lines.push(colors.yellow(cutLine(notice)))
    if (lines.length === 0) area.clear()
    else area(lines.join('\n'))
  }
  const timer = setInterval(draw, idleMilliseconds).unref()

  return {
    show(event) {
      state = advance(state, event, clock())
      switch (event.type) {
        case 'run-start': {
          const [title = '', ...again] = describeStart(event)
          area.persist([colors.bold(title), ...again].join('\n'))
          break
        }
        case 'stage-end':
          if (!event.kept) area.persist(`${colors.green('✓')} ${describeEnd(event, state.stages)}`)
          break
        case 'warning':
          area.persist(colors.yellow(`! ${event.stage === undefined ? '' : `${event.stage}: `}${event.message}`))
          break
        case 'run-end':
          area.persist(describeFinish(event))
          break
        default:
          if (performance.now() - drawnAt < redrawMilliseconds) return
      }
      draw()
    },
    say(text) {
      if (ended) {
        stream.write(`${text}\n`)
        return
      }
      notice = text
      draw()
    },
    end() {
      if (ended) return
      ended = true
      clearInterval(timer)
      area.clear()
      area.done()
    },
  }
}

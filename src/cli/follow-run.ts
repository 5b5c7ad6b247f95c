// Following a run: its events go to a display, Ctrl-C to the run, and the end becomes an exit status.
import type { RunEvent } from '../base/progress.ts'
import { openDisplay } from './displays/display.ts'
import { Interrupted, listenForInterrupt } from './interrupt.ts'

/**
 * Shows a run until its end.
 * @param start begins the run; aborting the signal asks it to save a checkpoint and throw the signal's reason.
 * @returns the exit status: 0, or 130 after Ctrl-C.
 */
export async function followRun(
  start: (signal: AbortSignal) => AsyncIterable<RunEvent>,
  options: { json: boolean; output?: NodeJS.WriteStream },
): Promise<number> {
  const display = await openDisplay(options.output ?? process.stdout, options)
  const interrupt = listenForInterrupt(
    () => display.say('finishing: saving a checkpoint (Ctrl-C again ends at once)'),
    () => display.end(),
  )
  try {
    for await (const event of start(interrupt.signal)) display.show(event)
    return 0
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error
    display.end()
    display.say('stopped. Run it again to go on from here.')
    return error.status
  } finally {
    display.end()
    interrupt.stop()
  }
}

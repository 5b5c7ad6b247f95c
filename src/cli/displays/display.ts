// A display shows the events of a run as they come: live on a terminal, as plain lines, or as JSON Lines.
import type { RunEvent } from '../../base/progress.ts'

export interface Display {
  show(event: RunEvent): void
  /** A line that is no event: that the run is about to stop. */
  say(text: string): void
  /** Takes away what was only of the moment; what is said afterwards stays. */
  end(): void
}

/** Where a display writes. */
export interface Output {
  write(text: string): void
}

/** The display for this output: JSON Lines for programs, live for a terminal, plain lines elsewhere. */
export async function openDisplay(stream: NodeJS.WriteStream, options: { json: boolean }): Promise<Display> {
  if (options.json) return (await import('./json-display.ts')).jsonDisplay(stream)
  if (stream.isTTY && process.env.TERM !== 'dumb') return (await import('./live-display.ts')).liveDisplay(stream)
  return (await import('./plain-display.ts')).plainDisplay(stream)
}

// JSON Lines: every event as it is, with the time.
import type { Display, Output } from './display.ts'

export function jsonDisplay(output: Output): Display {
  const write = (value: object) => output.write(`${JSON.stringify({ time: new Date().toISOString(), ...value })}\n`)
  return { show: write, say: (message) => write({ type: 'note', message }), end: () => {} }
}

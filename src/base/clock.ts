// The clock that waits go by; tests put one of their own in its place.

export interface Clock {
  /** Milliseconds, from any moment on. */
  now(): number
  /** Calls once, so much later. @returns what calls it off. */
  after(milliseconds: number, call: () => void): () => void
}

export const realClock: Clock = {
  now: Date.now,
  after(milliseconds, call) {
    const timer = setTimeout(call, milliseconds)
    return () => clearTimeout(timer)
  },
}

export function pause(clock: Clock, milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(milliseconds, resolve)
  })
}

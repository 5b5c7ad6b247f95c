// Time that passes as soon as somebody waits for it and nothing is read or written: whoever waits is called in the order of the
// moments waited for.
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises'
import type { Clock } from '../src/base/clock.ts'

interface Waiting {
  at: number
  call: () => void
}

export class SimulatedClock implements Clock {
  private time = 0
  private readonly waiting: Waiting[] = []
  private isGoing = false
  private readonly tick: () => Promise<void>

  /** @param tick what goes on while time passes; done before anybody is called. */
  constructor(tick: () => Promise<void>) {
    this.tick = tick
  }

  now(): number {
    return this.time
  }

  after(milliseconds: number, call: () => void): () => void {
    const one = { at: this.time + milliseconds, call }
    const place = this.waiting.findIndex(({ at }) => at > one.at)
    this.waiting.splice(place < 0 ? this.waiting.length : place, 0, one)
    if (!this.isGoing) this.go()
    return () => {
      const index = this.waiting.indexOf(one)
      if (index >= 0) this.waiting.splice(index, 1)
    }
  }

  /** So much time passes at once, in steps of ten seconds. */
  async pass(seconds: number): Promise<void> {
    for (let passed = 0; passed < seconds; passed += 10) {
      this.time += 10_000
      await this.tick()
    }
  }

  /** A real millisecond for each moment that is waited for, so that what is under way comes in between. */
  private go(): void {
    this.isGoing = true
    setTimeout(async () => {
      // Files are as slow as the machine: time does not run away from those who are at them.
      await untilNothingIsWritten()
      const next = this.waiting.shift()
      if (next !== undefined) {
        this.time = Math.max(this.time, next.at)
        await this.tick()
        next.call()
      }
      if (this.waiting.length > 0) this.go()
      else this.isGoing = false
    }, 1)
  }
}

/** Resolves once no file is being read or written. */
export async function untilNothingIsWritten(): Promise<void> {
  for (let quiet = 0; quiet < 3; quiet++) {
    await turn()
    while (process.getActiveResourcesInfo().some((name) => /^(FSReq|CloseReq)/.test(name))) {
      quiet = 0
      await sleep(1)
    }
  }
}

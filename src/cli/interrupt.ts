// Ctrl-C: the first one asks for a clean end, the second ends at once.
import { constants } from 'node:os'

/** Thrown through the work that an interrupt ends. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted'
  /** 128 and the signal's number, as shells have it. */
  readonly status: number

  constructor(signal: 'SIGINT' | 'SIGTERM') {
    super('interrupted')
    this.status = 128 + constants.signals[signal]
  }
}

/** Within this time one key press may arrive twice: from the terminal, and passed on by npm. */
const samePressMilliseconds = 300

/**
 * Listens for Ctrl-C (and SIGTERM).
 * @param onFirst called once, when the clean end begins.
 * @param onSecond called before the process ends at once.
 */
export function listenForInterrupt(onFirst: () => void, onSecond: () => void): { signal: AbortSignal; stop(): void } {
  const controller = new AbortController()
  let pressedAt: number | undefined
  const press = (name: 'SIGINT' | 'SIGTERM') => {
    const now = performance.now()
    if (pressedAt === undefined) {
      pressedAt = now
      controller.abort(new Interrupted(name))
      onFirst()
    } else if (now - pressedAt > samePressMilliseconds) {
      onSecond()
      // By the signal itself, past all that would run at exit: threads that compute cannot be asked to stop.
      process.removeAllListeners(name)
      process.kill(process.pid, name)
    }
  }
  process.on('SIGINT', press)
  process.on('SIGTERM', press)
  return {
    signal: controller.signal,
    stop() {
      process.off('SIGINT', press)
      process.off('SIGTERM', press)
    },
  }
}

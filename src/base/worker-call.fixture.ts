// A worker file for worker-call.test.ts: methods that count, fail and wait.
import { readFile } from 'node:fs/promises'
import { UserError } from './errors.ts'
import { serve } from './worker-call.ts'

serve({
  async *count({ to }: { to: number }) {
    for (let i = 0; i < to; i++) yield { i, data: new Float32Array([i, i / 2]) }
  },
  async *failAsUser() {
    yield 'before'
    throw new UserError('data.jsonl:3: no gold. Add one.', { status: 2 })
  },
  async *failAsBug() {
    yield* []
    throw new TypeError('internal: broken')
  },
  async *failAsSystem() {
    yield* []
    await readFile('/nowhere/weights')
  },
  async *waitForAbort(_args: unknown, signal: AbortSignal) {
    yield 'started'
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
    yield 'saved'
    throw signal.reason
  },
  async *die() {
    yield 'alive'
    process.exit(7)
  },
})

// Calls into a worker thread: order, errors with their type, abort, early leave, death.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isSystemError, UserError } from './errors.ts'
import { type RemoteWorker, startWorker } from './worker-call.ts'

const file = new URL('./worker-call.fixture.ts', import.meta.url)

async function collect(stream: AsyncIterable<unknown>): Promise<unknown[]> {
  const events: unknown[] = []
  for await (const event of stream) events.push(event)
  return events
}

describe('worker calls', () => {
  let worker: RemoteWorker
  beforeAll(() => {
    worker = startWorker(file)
  })
  afterAll(() => worker.close())

  it('streams events in order, typed arrays included, several calls at once', async () => {
    const [a, b] = await Promise.all([
      collect(worker.stream('count', { to: 3 })),
      collect(worker.stream('count', { to: 2 })),
    ])
    expect(a).toEqual([0, 1, 2].map((i) => ({ i, data: new Float32Array([i, i / 2]) })))
    expect(b).toHaveLength(2)
  })

  it('keeps the type and status of a UserError', async () => {
    const error = await collect(worker.stream('failAsUser', {})).catch((thrown) => thrown)
    expect(error).toBeInstanceOf(UserError)
    expect(error).toMatchObject({ message: 'data.jsonl:3: no gold. Add one.', status: 2 })
  })

  it('keeps name and message of other errors, and says which method is missing', async () => {
    const error = await collect(worker.stream('failAsBug', {})).catch((thrown) => thrown)
    expect(error).not.toBeInstanceOf(UserError)
    expect(error).toMatchObject({ name: 'TypeError', message: 'internal: broken' })
    await expect(collect(worker.stream('nothing', {}))).rejects.toThrow('no method nothing')
  })

  it('keeps what the operating system refused', async () => {
    const error = await collect(worker.stream('failAsSystem', {})).catch((thrown) => thrown)
    expect(isSystemError(error) && error.code).toBe('ENOENT')
  })

  it('forwards an abort, delivers what the method still yields, and throws the very reason', async () => {
    const controller = new AbortController()
    const reason = new Error('stop now')
    const events: unknown[] = []
    const run = async () => {
      for await (const event of worker.stream('waitForAbort', {}, controller.signal)) {
        events.push(event)
        if (event === 'started') controller.abort(reason)
      }
    }
    await expect(run()).rejects.toBe(reason)
    expect(events).toEqual(['started', 'saved'])
  })

  it('aborts the method when the caller leaves the loop, and goes on serving', async () => {
    for await (const event of worker.stream('waitForAbort', {})) if (event === 'started') break
    expect(await collect(worker.stream('count', { to: 1 }))).toHaveLength(1)
  })

  it('does not start with a signal that is aborted already', async () => {
    await expect(collect(worker.stream('count', { to: 1 }, AbortSignal.abort(new Error('early'))))).rejects.toThrow(
      'early',
    )
  })

  it('fails the calls under way and later ones when the thread dies', async () => {
    const dying = startWorker(file)
    await expect(collect(dying.stream('die', {}))).rejects.toThrow('ended (code 7)')
    await expect(collect(dying.stream('count', { to: 1 }))).rejects.toThrow('ended (code 7)')
    await dying.close()
  })
})

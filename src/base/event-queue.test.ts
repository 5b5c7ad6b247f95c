import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { EventQueue } from './event-queue.ts'

const shown = async (told: string) => `${told}!`

async function collect(stream: AsyncGenerator<string, number>): Promise<[string[], number]> {
  const seen: string[] = []
  for (;;) {
    const { done, value } = await stream.next()
    if (done) return [seen, value]
    seen.push(value)
  }
}

test('what is told while a generator waits comes before what it says then, in the order of telling', async () => {
  const queue = new EventQueue<string>()
  async function* work() {
    yield 'begins'
    queue.tell('told at once')
    await sleep(5)
    queue.tell('told while it waits')
    await sleep(5)
    yield 'goes on'
    queue.tell('told at the end')
    return 7
  }
  const seen = ['begins', 'told at once!', 'told while it waits!', 'goes on', 'told at the end!']
  expect(await collect(queue.beside(work(), shown))).toEqual([seen, 7])
})

test('it does not wait for the generator', async () => {
  const queue = new EventQueue<string>()
  let goOn = () => {}
  async function* work() {
    await new Promise<void>((resolve) => {
      goOn = resolve
    })
    yield 'late'
    return 0
  }
  const stream = queue.beside(work(), shown)
  const first = stream.next()
  queue.tell('early')
  expect(await first).toEqual({ done: false, value: 'early!' })
  goOn()
  expect(await collect(stream)).toEqual([['late'], 0])
})

test('an error comes through after what was told before it, and a generator that is left early ends', async () => {
  const queue = new EventQueue<string>()
  let ended = false
  async function* work() {
    try {
      yield 'one'
      queue.tell('told')
      throw new Error('broken')
    } finally {
      ended = true
    }
  }
  const seen: string[] = []
  const read = async () => {
    for await (const event of queue.beside(work(), shown)) seen.push(event)
  }
  await expect(read()).rejects.toThrow('broken')
  expect(seen).toEqual(['one', 'told!'])
  ended = false
  for await (const _ of queue.beside(work(), shown)) break
  expect(ended).toBe(true)
})

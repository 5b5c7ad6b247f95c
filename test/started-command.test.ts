// Servers that a run started, on the command line: listed, ended, found by the next run; none stays whatever ended meikai.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import type { ServerOverview } from '../src/sampler/started/server-end.ts'
import { holdersOf } from './fake-gpus.ts'
import { type Behaviour, behave, fakeFiles, listStarts, writeFakeServing } from './fake-vllm.fixture.ts'
import { meikai, startRun } from './meikai-process.ts'
import { writeStartedRun } from './small-world.ts'

const server = 'meikai-commands-server'
const slow: Behaviour = { loadMilliseconds: 100, takesExam: true, latencyMilliseconds: 300 }
const fast: Behaviour = { loadMilliseconds: 100, takesExam: true }

let folder: string
let serving: string
let runs: string
const lock = () => join(serving, fakeFiles.lock)
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meikai-started-command-'))
  serving = join(folder, 'serving')
  runs = join(folder, 'runs')
  await writeStartedRun(folder, 'commands', { documents: 60, concurrency: 1, preference: 2, test: 20 })
})
beforeEach(async () => {
  await writeFakeServing(serving, slow)
  await rm(runs, { recursive: true, force: true })
})
afterAll(async () => {
  meikai('cancel', 'all', '--runs', runs)
  await rm(folder, { recursive: true })
})

const start = (...more: string[]) =>
  startRun(join(folder, 'recipe.yaml'), '--set', 'variants=[base]', '--runs', runs, ...more)

function list(): ServerOverview[] {
  const { status, stdout, stderr } = meikai('jobs', '--json', '--runs', runs)
  expect(status, stderr).toBe(0)
  return stdout.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line)]))
}

/** A run that has begun to ask, and was killed; its server is there still. */
async function runAndKill(): Promise<void> {
  const run = start()
  await run.progress(3)
  await run.kill()
  expect(holdersOf(lock())).toHaveLength(2)
}

const timeout = 120_000

it('meikai is killed: jobs lists its server, cancel ends it, the next run starts another', { timeout }, async () => {
  expect(meikai('jobs', '--runs', runs).stdout).toBe(`No jobs in ${runs}.\n`)
  await runAndKill()
  const [listed, ...others] = list()
  expect(others).toEqual([])
  expect(listed).toMatchObject({ type: 'server', name: server, state: 'running', serves: 'run/base', starts: 1 })
  const { stdout } = meikai('jobs', '--runs', runs)
  expect(stdout).toMatch(new RegExp(`^${server} +running +${listed?.id} +serves run/base +1 +${listed?.log}$`, 'm'))

  const wrong = meikai('cancel', 'meikai-other', '--runs', runs)
  expect([wrong.status, wrong.stderr]).toEqual([1, expect.stringContaining(`There are ${server}.`)])
  expect(meikai('cancel', server, '--runs', runs)).toMatchObject({ status: 0, stdout: `${server} is ended.\n` })
  expect(holdersOf(lock())).toEqual([])
  expect(list()).toMatchObject([{ state: 'cancelled' }])
  // By its number, and again: nothing is left to be ended.
  const again = meikai('cancel', listed?.id ?? '', '--json', '--runs', runs)
  expect(JSON.parse(again.stdout)).toMatchObject({ type: 'job-cancelled', name: server, ended: false })

  await behave(serving, fast)
  const { status, stderr } = await start().ended
  expect(status, stderr).toBe(0)
  expect(await listStarts(serving)).toHaveLength(2)
  expect(holdersOf(lock())).toEqual([])
  expect(list()).toMatchObject([{ state: 'done', starts: 2 }])
})

it('a run whose server is cancelled ends with just that, and leaves nothing', { timeout }, async () => {
  const run = start()
  await run.progress(3)
  expect(meikai('cancel', 'all', '--runs', runs)).toMatchObject({ status: 0, stdout: `${server} is ended.\n` })
  const { status, stderr } = await run.ended
  expect([status, stderr]).toEqual([1, expect.stringContaining(`${server} was cancelled. Run again to go on.`)])
  expect(holdersOf(lock())).toEqual([])
  expect(list()).toMatchObject([{ state: 'cancelled', starts: 1 }])
})

it('the next run takes the server up again, and ends one that it has no use for before it starts its own', {
  timeout,
}, async () => {
  await runAndKill()
  // It waits for its own server's health while it takes up the one that is there.
  const second = start()
  await second.progress(2)
  await second.kill()
  expect(await listStarts(serving)).toHaveLength(1)
  // Another number of GPUs is another server. The fake one refuses to start beside the first.
  await behave(serving, fast)
  const { status, stdout, stderr } = await start('--set', 'sampler.start.gpus=1').ended
  expect(status, stderr).toBe(0)
  expect(await listStarts(serving)).toHaveLength(2)
  expect(stdout).toContain('"type":"server-start","serves":"run/base","start":2')
  expect(holdersOf(lock())).toEqual([])
})

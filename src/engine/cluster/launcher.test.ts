// Jobs as processes of this machine: started, found again, ended.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { launchers } from './launcher.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meikai (launcher)+'))
  for (const name of ['attempt-1', 'attempt-11']) {
    await mkdir(join(folder, name))
    await writeFile(join(folder, name, 'job.sh'), 'sleep 60 & wait\n')
  }
})
afterEach(() => rm(folder, { recursive: true }))

it('finds a job that runs by its script, and ends it with all of its processes', async () => {
  const { here } = launchers
  const [attempt, other] = [join(folder, 'attempt-1'), join(folder, 'attempt-11')]
  expect(await here.find(attempt)).toBeUndefined()
  const job = await here.start(attempt)
  const beside = await here.start(other)
  expect(await here.state(job)).toBe('running')
  expect(await here.find(attempt)).toEqual(job)
  expect(await here.find(other)).toEqual(beside)
  await here.kill(job, attempt)
  await expect.poll(() => here.state(job)).toBe('gone')
  expect(await here.find(attempt)).toBeUndefined()
  expect(await here.state(beside)).toBe('running')
  await here.kill(beside, other)
})

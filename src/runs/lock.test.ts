// The lock: one holder at a time, dead ones are replaced, live ones named.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, expect, it } from 'vitest'
import { hashJson } from '../base/files.ts'
import { lockFolder } from './lock.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lock-'))
})

const hold = (holder: unknown) =>
  writeFile(join(folder, 'lock'), typeof holder === 'string' ? holder : JSON.stringify(holder))

async function deadPid(): Promise<number> {
  const child = spawn(process.execPath, ['-e', ''])
  await once(child, 'exit')
  return child.pid as number
}

it('makes the folder, is held, and leaves nothing behind', async () => {
  const inner = join(folder, 'run')
  const unlock = await lockFolder(inner)
  expect(await readdir(inner)).toEqual(['lock'])
  await expect(lockFolder(inner)).rejects.toThrow(`${inner}: in use by process ${process.pid} on ${hostname()}`)
  await unlock()
  expect(await readdir(inner)).toEqual([])
  await (await lockFolder(inner))()
})

it('takes over from a dead process', async () => {
  await hold({ pid: await deadPid(), host: hostname() })
  await (await lockFolder(folder))()
  expect(await readdir(folder)).toEqual([])
})

it('takes over from a process whose number another one has now', async () => {
  await hold({ pid: process.pid, host: hostname(), started: '1' })
  await (await lockFolder(folder))()
})

it('does not take over from a live process', async () => {
  const other = await mkdtemp(join(tmpdir(), 'lock-'))
  const unlock = await lockFolder(other)
  await hold(await readFile(join(other, 'lock'), 'utf8'))
  await unlock()
  await expect(lockFolder(folder)).rejects.toThrow(`in use by process ${process.pid}`)
})

it.each([
  ['a process on another host', { pid: 1, host: 'elsewhere' }, 'process 1 on elsewhere'],
  ['something unreadable', 'half a {', 'another process'],
])('does not take over from %s', async (_, holder, who) => {
  await hold(holder)
  await expect(lockFolder(folder)).rejects.toThrow(`in use by ${who}. Wait for it or stop it`)
  expect(await readdir(folder)).toEqual(['lock'])
})

it('lets one of many in, however often', async () => {
  const dead = { pid: await deadPid(), host: hostname() }
  for (let round = 0; round < 100; round++) {
    await hold(dead)
    const attempts = await Promise.allSettled(Array.from({ length: 8 }, () => lockFolder(folder)))
    const holders = attempts.filter((attempt) => attempt.status === 'fulfilled')
    expect(holders).toHaveLength(1)
    await holders[0]!.value()
    expect(await readdir(folder)).toEqual([])
  }
})

it('takes over from a process that died while it took over', async () => {
  const dead = { pid: await deadPid(), host: hostname() }
  await hold(dead)
  const claim = `lock.over-${hashJson(JSON.stringify(dead)).slice(0, 16)}`
  await writeFile(join(folder, claim), JSON.stringify({ ...dead, started: '1' }))
  await (await lockFolder(folder))()
  expect(await readdir(folder)).toEqual([])
})

// A run's folder with a serving environment in which a fake vLLM stands, for tests of servers as real processes.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import { holdersOf } from '../../../test/fake-gpus.ts'
import { type Behaviour, fakeFiles, listStarts } from '../../../test/fake-vllm.fixture.ts'
import type { ServerEvent } from '../../base/progress.ts'
import type { Sampler } from '../sampler.ts'
import { openServerSampler } from '../server/server.ts'
import { endServer, listServers } from './server-end.ts'
import { type RunningServer, ServerKeeper } from './server-keeper.ts'
import { serverFolder } from './server-record.ts'
import type { Served, StartSettings } from './start-settings.ts'
import { realSurroundings } from './surroundings.ts'

export const quick: Behaviour = { loadMilliseconds: 50 }
export const model: Served = { folder: '/models/one', name: 'one' }
export const times = { look: { here: 100, slurm: 100 }, leaseSeconds: 60 }
export const never = new AbortController().signal

export type StartedPlace = Awaited<ReturnType<typeof makePlace>>

export async function makePlace() {
  const folder = await mkdtemp(join(tmpdir(), 'meikai-keeper-'))
  const environment = join(folder, 'serving')
  const runs = join(folder, 'runs')
  const server = join(runs, 'a-run', serverFolder)
  const lock = join(environment, fakeFiles.lock)
  const settings: StartSettings = {
    place: 'here',
    environment,
    arguments: [],
    listen: 'loopback',
    gpus: 2,
    startSeconds: 30,
    retries: 2,
    setup: [],
  }
  /** What keepers told. */
  const told: ServerEvent[] = []
  return {
    environment,
    runs,
    server,
    lock,
    settings,
    told,
    keep(more: Partial<StartSettings> = {}, signal = never): ServerKeeper {
      return new ServerKeeper(server, { ...settings, ...more }, signal, (event) => told.push(event), {
        ...realSurroundings,
        ...times,
      })
    },
    pidsOf: async () => (await listStarts(environment)).map(({ pid }) => pid),
    async waitUntilFree(): Promise<void> {
      for (let i = 0; i < 150 && holdersOf(lock).length > 0; i++) await sleep(100)
    },
    async expectGone(): Promise<void> {
      expect(holdersOf(lock)).toEqual([])
      expect((await listServers(runs)).map(({ state }) => state)).not.toContain('running')
    },
    async remove(): Promise<void> {
      await endServer(server, 'done')
      await rm(folder, { recursive: true })
    },
  }
}

/** A sampler on a server that answers. */
export async function open({ url, key }: RunningServer, name = model.name): Promise<Sampler> {
  const keyVariable = 'KEY'
  const endpoints = [{ url, concurrency: 4, ...(key !== undefined && { keyVariable }) }]
  const settings = { endpoints, model: name, api: 'completions', dialect: 'vllm', samplesPerCall: 1 } as const
  return openServerSampler({ ...settings, timeoutSeconds: 5, attempts: 10 }, { [keyVariable]: key })
}

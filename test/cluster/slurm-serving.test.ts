// A run's own server through a real Slurm of one node: a batch job that is waited for, ended by somebody else and started again,
// and gone before the GPUs are anybody else's. `npm run test:slurm` runs it.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { run } from '../../src/engine/cluster/launcher.ts'
import { collect } from '../../src/sampler/sampler.contract.ts'
import { openServerSampler } from '../../src/sampler/server/server.ts'
import { endServer, listServers } from '../../src/sampler/started/server-end.ts'
import { type RunningServer, ServerKeeper } from '../../src/sampler/started/server-keeper.ts'
import type { StartSettings } from '../../src/sampler/started/start-settings.ts'
import { openStartedSampler } from '../../src/sampler/started/started-sampler.ts'
import { holdersOf } from '../fake-gpus.ts'
import { fakeFiles, listStarts, writeFakeServing } from '../fake-vllm.fixture.ts'
import { meikai } from '../meikai-process.ts'

const setUp = join(process.env.MEIKAI_SHARED ?? join(import.meta.dirname, '../../../shared'), 'slurm-one-node.sh')
const reason = !process.env.MEIKAI_SLURM
  ? ' (skipped: npm run test:slurm runs it)'
  : existsSync(setUp)
    ? ''
    : ` (skipped: no ${setUp}; set MEIKAI_SHARED)`

describe.skipIf(reason !== '')(`a server through a real Slurm${reason}`, () => {
  let folder: string
  let environment: string
  let server: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'meikai-slurm-serving-'))
    environment = join(folder, 'serving')
    server = join(folder, 'runs', 'a-run', 'server')
    await writeFakeServing(environment, { loadMilliseconds: 500, latencyMilliseconds: 100 })
    if (spawnSync('sinfo', ['-h'], { encoding: 'utf8' }).status === 0) return
    const { status, stderr } = spawnSync('bash', [setUp, join(tmpdir(), 'meikai-slurm-node')], { encoding: 'utf8' })
    if (status !== 0) throw new Error(stderr)
  })
  afterAll(async () => {
    await endServer(server, 'done')
    await rm(folder, { recursive: true })
  })

  const keep = (more: Partial<StartSettings> = {}) =>
    new ServerKeeper(
      server,
      {
        place: 'slurm',
        environment,
        arguments: [],
        listen: 'loopback',
        gpus: 0,
        startSeconds: 60,
        retries: 2,
        batchOptions: ['--mem=500'],
        timeLimit: '00:10:00',
        setup: ['export FROM_THE_RECIPE=1'],
        ...more,
      },
      new AbortController().signal,
    )

  const open = async ({ url }: RunningServer) =>
    openServerSampler({
      endpoints: [{ url, concurrency: 4 }],
      model: 'one',
      api: 'completions',
      dialect: 'vllm',
      samplesPerCall: 1,
      timeoutSeconds: 5,
      attempts: 10,
    })

  it('goes on in another job where the first was ended, and leaves none', async () => {
    const keeper = keep()
    const start = () => keeper.use({ folder: '/models/one', name: 'one' })
    const sampler = await openStartedSampler({ start, open, retries: 2 })
    const [first] = await listServers(join(folder, 'runs'))
    expect(first).toMatchObject({ state: 'running', serves: 'one' })
    expect((await run('squeue', ['--noheader', '--format=%j', `--jobs=${first?.id}`])).output.trim()).toBe(first?.name)
    const requests = Array.from({ length: 200 }, (_, i) => ({ id: `q${i}`, prompt: `prompt ${i}`, samples: 1 }))
    setTimeout(() => run('scancel', [first?.id ?? '']), 2000)
    const completions = await collect(sampler, requests)
    expect(new Set(completions.map(({ id }) => id)).size).toBe(200)
    expect(completions).toHaveLength(200)
    expect(await listStarts(environment)).toHaveLength(2)
    await sampler.close()
    await keeper.release()
    expect(holdersOf(join(environment, fakeFiles.lock))).toEqual([])
    const [last] = await listServers(join(folder, 'runs'))
    expect(last).toMatchObject({ state: 'done', starts: 2 })
    expect(await readFile(join(server, 'start-2', 'job.sh'), 'utf8')).toMatch(/^export FROM_THE_RECIPE=1$/m)
  })

  it('is listed by jobs and ended by cancel, though nobody keeps it any more', async () => {
    const keeper = keep()
    await keeper.use({ folder: '/models/one', name: 'one' })
    const runs = join(folder, 'runs')
    const listed = JSON.parse(meikai('jobs', '--json', '--runs', runs).stdout)
    expect(listed).toMatchObject({ type: 'server', name: 'meikai-a-run-server', state: 'running', serves: 'one' })
    expect(listed.id).toMatch(/^\d+$/)
    const { status, stdout } = meikai('cancel', listed.id, '--runs', runs)
    expect([status, stdout]).toEqual([0, 'meikai-a-run-server is ended.\n'])
    expect((await run('squeue', ['--noheader', '--format=%T', `--name=${listed.name}`])).output).not.toContain(
      'RUNNING',
    )
    expect(holdersOf(join(environment, fakeFiles.lock))).toEqual([])
    expect(JSON.parse(meikai('jobs', '--json', '--runs', runs).stdout)).toMatchObject({ state: 'cancelled' })
    await keeper.release()
  })

  it('says what Slurm refuses', async () => {
    const used = keep({ partition: 'no-such-partition' }).use({ folder: '/models/one', name: 'one' })
    await expect(used).rejects.toThrow(/sbatch refused .*partition/)
  })
})

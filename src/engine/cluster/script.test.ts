// The scripts run, with a stand-in for torchrun.
import { spawn } from 'node:child_process'
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { writeJobScript, writeNodeScript } from './script.ts'
import { plainSettings } from './settings.fixture.ts'
import type { ClusterSettings } from './settings.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "meikai's script-"))
})
afterEach(() => rm(folder, { recursive: true }))

const settings = (): ClusterSettings => ({
  ...plainSettings,
  environment: join(folder, 'environment'),
  processes: 2,
  warningSeconds: 60,
  setup: ["export GREETING='hello there'"],
})

/** Starts job.sh over a torchrun of our own, in a session of its own. */
async function start(torchrun: string) {
  const attempt = join(folder, 'attempt-1')
  await mkdir(attempt, { recursive: true })
  await mkdir(join(folder, 'environment/bin'), { recursive: true })
  const script = { name: 'a-job', settings: settings(), folder, attempt, port: 29_500 }
  for (const [path, text] of [
    [join(attempt, 'job.sh'), writeJobScript(script)],
    [join(attempt, 'node.sh'), writeNodeScript(script)],
    [join(folder, 'environment/bin/torchrun'), `#!/bin/bash\n${torchrun}\n`],
  ] as const) {
    await writeFile(path, text)
    await chmod(path, 0o755)
  }
  const child = spawn('bash', [join(attempt, 'job.sh')], { detached: true, stdio: 'ignore' })
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  const read = (name: string) => readFile(join(attempt, name), 'utf8')
  return { pid: child.pid ?? 0, ended, read }
}

it('passes on what it is set to, and writes how the training ended', async () => {
  const { ended, read } = await start('echo "$GREETING: $*"; exit 7')
  expect(await ended).toBe(7)
  expect(JSON.parse(await read('exit.json'))).toMatchObject({ status: 7, endedAt: expect.any(Number) })
  const log = await read('log.txt')
  expect(log).toContain('hello there: --nnodes 1 --node-rank 0 --nproc-per-node 2 --master-addr 127.0.0.1')
  expect(log).toContain(`-m llamafactory.launcher ${join(folder, 'attempt-1/train.yaml')}`)
})

it('asks Slurm for what it is set to', () => {
  const there = { ...settings(), place: 'slurm', nodes: 2, device: 'gpu', timeLimit: '1:00:00' } as const
  const batchOptions = ['--mem=0', '--qos=long']
  const script = { name: 'a-job', settings: { ...there, batchOptions }, folder, attempt: '/a', port: 29_500 }
  expect(
    writeJobScript(script)
      .split('\n')
      .filter((line) => line.startsWith('#SBATCH')),
  ).toEqual([
    '#SBATCH --job-name=a-job',
    '#SBATCH --nodes=2',
    '#SBATCH --ntasks-per-node=1',
    '#SBATCH --gpus-per-node=2',
    '#SBATCH --time=1:00:00',
    '#SBATCH --signal=USR1@60',
    '#SBATCH --output=/a/log.txt',
    '#SBATCH --open-mode=append',
    '#SBATCH --no-requeue',
    '#SBATCH --mem=0',
    '#SBATCH --qos=long',
  ])
})

it('waits for the training whatever warnings come, which reach every process', async () => {
  const { pid, ended, read } = await start('echo begun; for i in 1 2 3 4 5 6 7 8; do sleep 0.1; done; echo done')
  await expect.poll(() => read('log.txt').catch(() => ''), { timeout: 10_000 }).toContain('begun')
  for (const signal of ['SIGUSR1', 'SIGUSR1'] as const) {
    process.kill(-pid, signal)
    await sleep(50)
  }
  expect(await ended).toBe(0)
  expect(await read('log.txt')).toContain('done')
  expect(JSON.parse(await read('exit.json'))).toMatchObject({ status: 0 })
})

it('leaves no word of its end where it is killed', async () => {
  const { pid, ended, read } = await start('echo begun; sleep 5')
  await expect.poll(() => read('log.txt').catch(() => ''), { timeout: 10_000 }).toContain('begun')
  process.kill(-pid, 'SIGKILL')
  await ended
  await expect(read('exit.json')).rejects.toThrow('ENOENT')
})

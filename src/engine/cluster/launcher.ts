// Starting, finding and ending jobs: processes on this machine, or batch jobs of Slurm.
import { spawn } from 'node:child_process'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { internal, UserError } from '../../base/errors.ts'
import { clusterFiles } from './configuration.ts'
import { rankPattern } from './script.ts'

/** What people know a job by: '@12345' for a process, Slurm's number for a batch job; nothing where none was started. */
export function nameHandle(handle: JobHandle | undefined): string {
  if (handle === undefined) return ''
  return handle.place === 'here' ? `@${handle.pid}` : handle.id
}

/** A job that was started: its process (with the time it began, since numbers come again), or its number in Slurm. */
export type JobHandle = { place: 'here'; pid: number; began: string } | { place: 'slurm'; id: string }

export interface Launcher {
  start(attempt: string): Promise<JobHandle>
  /** The job that runs or waits with an attempt's script, where there is one: for jobs whose handle was never written down. */
  find(attempt: string): Promise<JobHandle | undefined>
  /** waiting: in the queue; gone: ended, however. */
  state(job: JobHandle): Promise<'waiting' | 'running' | 'gone'>
  /** Asks for a checkpoint and a clean end. */
  stop(job: JobHandle): Promise<void>
  /** Ends it at once; no process stays behind. */
  kill(job: JobHandle, attempt: string): Promise<void>
  /** What the scheduler says of how it ended, where it knows. */
  explain(job: JobHandle): Promise<string | undefined>
}

export const launchers: Record<JobHandle['place'], Launcher> = {
  here: {
    async start(attempt) {
      const log = await open(join(attempt, clusterFiles.log), 'a')
      try {
        // A session of its own: neither Ctrl-C nor the end of meikai reaches it.
        const child = spawn('bash', [join(attempt, clusterFiles.script)], {
          detached: true,
          stdio: ['ignore', log.fd, log.fd],
        })
        await new Promise((resolve, reject) => child.once('spawn', resolve).once('error', reject))
        child.unref()
        const pid = child.pid ?? internal('a started process without a number')
        return { place: 'here', pid, began: (await beginningOf(pid)) ?? 'ended at once' }
      } finally {
        await log.close()
      }
    },
    async find(attempt) {
      const script = join(attempt, clusterFiles.script).replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
      const pid = Number((await run('pgrep', ['-f', '-x', '--', `bash ${script}`])).output.split('\n')[0])
      const began = pid > 0 ? await beginningOf(pid) : undefined
      return began === undefined ? undefined : { place: 'here', pid, began }
    },
    async state(job) {
      const { pid, began } = asProcess(job)
      return (await beginningOf(pid)) === began ? 'running' : 'gone'
    },
    async stop(job) {
      if ((await this.state(job)) === 'running') process.kill(asProcess(job).pid, 'SIGTERM')
    },
    async kill(job, attempt) {
      const { pid } = asProcess(job)
      if ((await this.state(job)) === 'running') await run('pkill', ['-KILL', '-s', String(pid)])
      // Processes that outlived a killed script.
      await run('pkill', ['-KILL', '-f', '--', rankPattern(attempt)])
    },
    explain: async () => undefined,
  },
  slurm: {
    async start(attempt) {
      const { status, output, errors } = await run('sbatch', ['--parsable', join(attempt, clusterFiles.script)])
      const id = /^\d+/.exec(output)?.[0]
      if (status !== 0 || id === undefined) {
        throw new UserError(`sbatch refused ${join(attempt, clusterFiles.script)}: ${(errors || output).trim()}`)
      }
      return { place: 'slurm', id }
    },
    async find(attempt) {
      const { status, output, errors } = await run('squeue', ['--noheader', '--me', '--format=%i %o'])
      if (status !== 0) throw new UserError(`squeue does not answer: ${errors.trim()}`)
      const script = join(attempt, clusterFiles.script)
      const id = output.split('\n').find((line) => line.trim().endsWith(` ${script}`))
      return id === undefined ? undefined : { place: 'slurm', id: id.trim().split(' ')[0] ?? '' }
    },
    async state(job) {
      const { status, output, errors } = await run('squeue', ['--noheader', '--format=%T', `--jobs=${idOf(job)}`])
      // A job that ended some time ago is an unknown number.
      if (status !== 0 && !/invalid job id/i.test(errors)) {
        throw new UserError(`squeue does not answer: ${errors.trim()}`)
      }
      const word = output.trim()
      if (/^(PENDING|CONFIGURING|REQUEUED|RESV_DEL_HOLD|SUSPENDED)/.test(word)) return 'waiting'
      return /^(RUNNING|COMPLETING|SIGNALING|STAGE_OUT)/.test(word) ? 'running' : 'gone'
    },
    async stop(job) {
      await run('scancel', ['--signal=USR1', idOf(job)])
    },
    async kill(job) {
      await run('scancel', [idOf(job)])
    },
    async explain(job) {
      const { status, output } = await run('sacct', [
        '--noheader',
        '--parsable2',
        '--allocations',
        '--format=State,ExitCode',
        `--jobs=${idOf(job)}`,
      ])
      const line = output.trim().split('\n')[0]
      return status !== 0 || !line ? undefined : `Slurm says ${line.replace('|', ', exit code ')}`
    },
  },
}

function asProcess(job: JobHandle): { pid: number; began: string } {
  return job.place === 'here' ? job : internal('a batch job is no process')
}

function idOf(job: JobHandle): string {
  return job.place === 'slurm' ? job.id : internal('a process is no batch job')
}

/** When a process began, or undefined where there is none. */
async function beginningOf(pid: number): Promise<string | undefined> {
  const { output } = await run('ps', ['-o', 'lstart=,stat=', '-p', String(pid)])
  const [, began, state] = /^(.*\d{4})\s+(\S+)/.exec(output.trim()) ?? []
  return state === undefined || state.startsWith('Z') ? undefined : began
}

/** Runs a program to its end. A missing one is a UserError. */
export function run(
  program: string,
  args: readonly string[],
): Promise<{ status: number; output: string; errors: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, LC_ALL: 'C' } })
    let output = ''
    let errors = ''
    child.stdout.on('data', (text) => {
      output += text
    })
    child.stderr.on('data', (text) => {
      errors += text
    })
    child.once('error', () => reject(new UserError(`${program} is not on this machine's PATH.`)))
    child.once('close', (status) => resolve({ status: status ?? 1, output, errors }))
  })
}

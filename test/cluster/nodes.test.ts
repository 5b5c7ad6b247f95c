// Two nodes: two agents of torchrun that meet, each with processes of its own, started by the scripts as Slurm would start them.
// Slurm's programs are stand-ins here, and each node is a process namespace of this machine.
import { spawnSync } from 'node:child_process'
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { ClusterEngine } from '../../src/engine/cluster/cluster-engine.ts'
import { EmbeddedEngine } from '../../src/engine/embedded/embedded-engine.ts'
import { collectEvents } from '../../src/engine/engine.contract.ts'
import { prepareJob, smallLora } from '../training-example.ts'
import { cpuSettings } from './settings.ts'

const namespace = ['--pid', '--fork', '--mount-proc', '--kill-child']
const canSeparate = spawnSync('unshare', [...namespace, 'true']).status === 0

/** Slurm's programs, as far as a job of two nodes needs them; a job's number is its process. */
const programs = {
  sbatch: `script="\${@: -1}"; SLURM_JOB_NODELIST='node[0-1]' setsid bash "$script" > /dev/null 2>&1 < /dev/null & echo $!`,
  squeue: `id="\${@: -1}"; ps -o stat= -p "\${id#--jobs=}" | grep -qv Z && echo RUNNING; true`,
  scancel: `kill "\${@: -1}"`,
  scontrol: 'echo 127.0.0.1; echo 127.0.0.1',
  sacct: 'exit 1',
  srun: `[ "$1" = --ntasks=2 ] || exit 9
for node in 0 1; do SLURM_NODEID=$node unshare ${namespace.join(' ')} bash node.sh & done
status=0; for _ in 0 1; do wait -n || status=$?; done; exit $status`,
}

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meikai-nodes-'))
  await mkdir(join(folder, 'bin'))
  for (const [name, text] of Object.entries(programs)) {
    await writeFile(join(folder, 'bin', name), `#!/bin/bash\n${text}\n`)
    await chmod(join(folder, 'bin', name), 0o755)
  }
  vi.stubEnv('PATH', `${join(folder, 'bin')}:${process.env.PATH}`)
})
afterAll(async () => {
  vi.unstubAllEnvs()
  await rm(folder, { recursive: true })
})

it.skipIf(!canSeparate)('trains on two nodes as in one process', async () => {
  const job = await prepareJob(folder, 'next-token', { method: smallLora, accumulate: 2, evaluationFiles: {} })
  const own = await collectEvents(new EmbeddedEngine(), { ...job, outputFolder: join(folder, 'embedded') })
  const engine = new ClusterEngine(cpuSettings({ place: 'slurm', nodes: 2, processes: 2 }))
  const events = await collectEvents(engine, job)
  const losses = (of: typeof own) => of.flatMap((event) => (event.type === 'step-end' ? [event.loss] : []))
  expect(losses(events)).toHaveLength(12)
  for (const [i, loss] of losses(events).entries()) {
    expect(Math.abs(loss - (losses(own)[i] ?? Number.NaN))).toBeLessThan(1e-3)
  }
  const log = await readFile(join(job.outputFolder, 'cluster/attempt-1/log.txt'), 'utf8')
  expect(log).toMatch(/Process rank: 3, world size: 4/)
})

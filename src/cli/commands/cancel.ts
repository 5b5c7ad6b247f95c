// meikai cancel: ends cluster jobs, after a checkpoint, and servers.
import { UserError } from '../../base/errors.ts'
import { defineCommand, jsonOption } from '../command.ts'

export const cancel = defineCommand({
  meta: {
    name: 'cancel',
    description: 'End training jobs (a checkpoint is saved first) and servers that runs have started',
  },
  args: {
    job: { type: 'positional', required: true, description: "A job's name or id as `meikai jobs` lists it, or all" },
    now: { type: 'boolean', description: 'End at once; what was trained since the last checkpoint is lost' },
    runs: { type: 'string', valueHint: 'FOLDER', default: 'runs', description: 'The folder that holds a folder a run' },
    ...jsonOption,
  },
  examples: [
    { line: 'meikai cancel meikai-my-run-pretrain', purpose: 'save a checkpoint and end; meikai run goes on from it' },
    { line: 'meikai cancel all --now', purpose: 'end everything at once' },
  ],
  async run({ args: { job: wanted, now, runs, json } }) {
    const { cancelJob, listJobs } = await import('../../engine/cluster/overview.ts')
    const { endServer, listServers } = await import('../../sampler/started/server-end.ts')
    const all = [
      ...(await listJobs(runs)).map((job) => ({ ...job, end: () => cancelJob(job.folder, now === true) })),
      ...(await listServers(runs)).map((one) => ({ ...one, now: true, end: () => endServer(one.folder, 'cancelled') })),
    ]
    const chosen = all.filter(({ name, id }) => wanted === 'all' || name === wanted || id === wanted)
    if (chosen.length === 0 && wanted !== 'all') {
      const names = all.map(({ name }) => name).join(', ')
      throw new UserError(
        `cancel: no job ${wanted} in ${runs}. ${names === '' ? 'There is none.' : `There are ${names}.`}`,
      )
    }
    for (const { name, log, end, ...kind } of chosen) {
      const ended = await end()
      if (json) console.log(JSON.stringify({ type: 'job-cancelled', name, ended, log }))
      else if (!ended) console.log(`${name} has ended already.`)
      else
        console.log(
          now || 'now' in kind ? `${name} is ended.` : `${name} is asked to save a checkpoint and end. Its log: ${log}`,
        )
    }
    return 0
  },
})

// meikai jobs: the cluster jobs of all runs, and the servers that runs have started.
import { defineCommand, jsonOption } from '../command.ts'

export const jobs = defineCommand({
  meta: { name: 'jobs', description: 'List the training jobs and servers that runs have started' },
  args: {
    runs: { type: 'string', valueHint: 'FOLDER', default: 'runs', description: 'The folder that holds a folder a run' },
    ...jsonOption,
  },
  examples: [{ line: 'meikai jobs', purpose: 'each job with its state, its step (or what it serves) and its log' }],
  async run({ args: { runs, json } }) {
    const { listJobs } = await import('../../engine/cluster/overview.ts')
    const { listServers } = await import('../../sampler/started/server-end.ts')
    const [trainings, servers] = await Promise.all([listJobs(runs), listServers(runs)])
    if (json) {
      for (const job of trainings) console.log(JSON.stringify({ type: 'job', ...job }))
      for (const server of servers) console.log(JSON.stringify({ type: 'server', ...server }))
      return 0
    }
    const { table } = await import('../table.ts')
    const rows = [
      ...trainings.map(({ name, state, id, step, steps, attempts, log }) => [
        name,
        state,
        id,
        `${step}/${steps}`,
        String(attempts),
        log,
      ]),
      ...servers.map(({ name, state, id, serves, starts, log }) => [
        name,
        state,
        id,
        `serves ${serves}`,
        String(starts),
        log,
      ]),
    ]
    if (rows.length === 0) console.log(`No jobs in ${runs}.`)
    else for (const line of table(['job', 'state', 'id', 'step', 'attempts', 'log'], rows)) console.log(line)
    return 0
  },
})

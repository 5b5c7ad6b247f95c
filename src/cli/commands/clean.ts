// meikai clean: removes what a run no longer needs.
import { defineCommand, jsonOption } from '../command.ts'

export const clean = defineCommand({
  meta: { name: 'clean', description: 'Remove what a run no longer needs: checkpoints, snapshots, leftovers' },
  args: {
    run: { type: 'positional', required: true, description: "The run's folder" },
    'dry-run': { type: 'boolean', description: 'Only show what would go' },
    ...jsonOption,
  },
  examples: [
    { line: 'meikai clean runs/my-run --dry-run', purpose: 'what would go, and how much that is' },
    { line: 'meikai clean runs/my-run', purpose: 'remove it; results stay, and the run still counts as done' },
  ],
  async run({ args: { run, 'dry-run': dryRun, json } }) {
    const { cleanRun } = await import('../../runs/clean.ts')
    const { formatBytes } = await import('../../base/format.ts')
    const leftovers = await cleanRun(run, { apply: dryRun !== true })
    const bytes = leftovers.reduce((sum, leftover) => sum + leftover.bytes, 0)
    if (json) {
      console.log(JSON.stringify({ type: 'cleaned', removed: dryRun !== true, bytes, leftovers }))
      return 0
    }
    for (const leftover of leftovers) console.log(`${formatBytes(leftover.bytes).padStart(8)}  ${leftover.path}`)
    console.log(`${formatBytes(bytes)} ${dryRun ? 'would go' : 'removed'}.`)
    return 0
  },
})

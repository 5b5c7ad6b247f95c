// Where the time of a run goes, stage by stage, from its records: `quickstart [runs/quickstart]`.
import { join } from 'node:path'
import { readJson } from '../src/base/files.ts'
import { formatCount, formatPercent } from '../src/base/format.ts'
import { table } from '../src/cli/table.ts'
import type { ReportInput } from '../src/report/report-input.ts'
import { measureMatrixRate } from '../src/runtime/matrix-rate.ts'

const [folder = 'runs/quickstart'] = process.argv.slice(2)
const { run, stages, trainings } = (await readJson(join(folder, 'report', 'input.json'))) as ReportInput

const total = stages.reduce((sum, { seconds }) => sum + seconds, 0)
const rows = [...stages]
  .sort((a, b) => b.seconds - a.seconds)
  .map(({ id, seconds }) => {
    const steps = (trainings.find(({ stage }) => stage === id)?.events ?? []).filter(({ type }) => type === 'step-end')
    const tokens = steps.reduce((sum, step) => sum + (step.type === 'step-end' ? step.tokens : 0), 0)
    const stepSeconds = median(steps.map((step) => (step.type === 'step-end' ? step.seconds : 0)))
    const training =
      stepSeconds === undefined
        ? ['', '', '']
        : [formatCount(steps.length), (1000 * stepSeconds).toFixed(1), formatCount(tokens / steps.length)]
    return [id, seconds.toFixed(1), formatPercent(seconds / total, 0), ...training]
  })
const rate = (await measureMatrixRate(run.threads)) / 1e9
console.log(`${folder}: ${total.toFixed(0)} s in all, ${run.threads} threads`)
console.log(`float32 matrix products on this machine now: ${rate.toFixed(0)} GFLOP/s\n`)
for (const line of table(['stage', 'seconds', 'share', 'steps', 'median ms a step', 'loss tokens a step'], rows))
  console.log(line)

function median(values: number[]): number | undefined {
  return values.sort((a, b) => a - b)[Math.floor(values.length / 2)]
}

// meikai report: writes the report of a finished run anew.
import { join } from 'node:path'
import { defineCommand, jsonOption } from '../command.ts'

export const report = defineCommand({
  meta: { name: 'report', description: 'Write the report of a finished run anew, as this version of meikai has it' },
  args: {
    run: { type: 'positional', required: true, description: "The run's folder" },
    ...jsonOption,
  },
  examples: [
    { line: 'meikai report runs/quickstart', purpose: 'report.html, report.json and report.md, from the records' },
  ],
  async run({ args: { run, json } }) {
    const { rewriteReport } = await import('../../pipeline/stages/report.ts')
    const { folder, finding } = await rewriteReport(run)
    const page = join(folder, 'report.html')
    console.log(json ? JSON.stringify({ type: 'report-written', report: page, finding }) : `${finding}\n${page}`)
    return 0
  },
})

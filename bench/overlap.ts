// The search for exam questions in texts: MB/s beside plain reading, and the most memory: `overlap [megabytes]`.
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { formatBytes, formatCount, formatDuration } from '../src/base/format.ts'
import { table } from '../src/cli/table.ts'
import { readDocuments } from '../src/data/documents.ts'
import { ExamOverlap } from '../src/data/exam-overlap.ts'
import { loadExam } from '../src/exam/exam.ts'
import { writeTexts } from './sides/texts.ts'

const megabytes = Number(process.argv[2] ?? 100)
const shared = process.env.MEIKAI_SHARED ?? '../shared'
const items = await loadExam({ path: join(shared, 'data/igakuqa'), description: 'igakuqa' })
const start = performance.now()
const overlap = new ExamOverlap(items, 40)
const readySeconds = (performance.now() - start) / 1000
const folder = await mkdtemp(join(tmpdir(), 'meikai-overlap-'))
try {
  const file = join(folder, 'texts.jsonl')
  const known = items.filter(({ id }) => !overlap.tooGeneral.includes(id))
  const planted = await writeTexts(file, megabytes * 1e6, known)
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

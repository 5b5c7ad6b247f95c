// Japanese texts of any size: the sentences of real medical texts in random order, every twentieth with its characters shuffled.
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { finished } from 'node:stream/promises'
import { loadJsonLines } from '../../src/base/files.ts'
import { Random } from '../../src/base/random.ts'
import type { ExamItem } from '../../src/exam/records.ts'

const shared = process.env.MEIKAI_SHARED ?? '../shared'

/** One document in so many holds an exam item, and one its predecessor's text. */
const plantedEvery = 500
const doubledEvery = 100

/** Writes documents of {text} as JSON Lines, of about so many bytes; returns how many different items stand in them. */
export async function writeTexts(file: string, bytes: number, items: readonly ExamItem[]): Promise<number> {
  const random = new Random(7, 'texts')
  const records = await loadJsonLines<{ text: string }>(join(shared, 'data/corpus-ja-medical/medical.jsonl'))
  const sentences = records.flatMap(({ text }) => text.split(/(?<=[。．\n])/))
  const stream = createWriteStream(file)
  const planted = new Set<string>()
  let line = ''
  for (let written = 0, documents = 0; written < bytes; documents++) {
    if (documents % doubledEvery !== doubledEvery - 1) {
      const parts = Array.from({ length: 10 + random.integer(60) }, () => {
        const sentence = random.pick(sentences)
        return random.integer(20) === 0 ? random.shuffled([...sentence]).join('') : sentence
      })
      if (documents % plantedEvery === 0 && items.length > 0) {
        const item = random.pick(items)
        planted.add(item.id)
        parts.splice(random.integer(parts.length), 0, `${item.question}\n${item.options.join('\n')}`)
      }
      line = `${JSON.stringify({ text: parts.join('') })}\n`
    }
    written += Buffer.byteLength(line)
    if (!stream.write(line)) await once(stream, 'drain')
  }
  stream.end()
  await finished(stream)
  return planted.size
}

// The mixture of a corpus's sources: each as often as epochs and weights say, one after the other.
import { readChunks, readJsonLines } from '../base/files.ts'
import { Random } from '../base/random.ts'
import type { CorpusOptions, CorpusProgress } from './corpus.ts'
import { spoolFiles } from './corpus-reader.ts'
import type { CorpusSpool } from './corpus-spool.ts'
import type { TokenRow } from './records.ts'
import type { SourceStatistics } from './statistics.ts'

/** The mixture's file in the spool, unless a source alone is the mixture. */
const mixtureFile = 'training.jsonl'

/** Bytes that are gathered before they are written. */
const pieceBytes = 1 << 20

/** How often each source is read so that the weights hold in tokens; those without a weight are read as often as they say. */
export function countPasses(
  sources: readonly { epochs: number; weight?: number }[],
  statistics: readonly { tokens: number }[],
): number[] {
  const perWeight = sources.flatMap(({ epochs, weight }, i) => {
    const { tokens } = statistics[i]!
    return weight === undefined || tokens === 0 ? [] : [(epochs * tokens) / weight]
  })
  const scale = Math.min(...perWeight)
  return sources.map(({ epochs, weight }, i) => {
    const { tokens } = statistics[i]!
    return weight === undefined || tokens === 0 ? epochs : (weight * scale) / tokens
  })
}

/** Name of the spool's file with the rows to train on, once they are mixed. */
export function trainingFile(statistics: readonly SourceStatistics[]): string {
  return statistics.length === 1 && statistics[0]!.passes === 1 ? spoolFiles.rows(0) : mixtureFile
}

/** Writes the mixture, and counts it. Killed, it begins anew: it takes a fraction of the reading. */
export async function* mixSources(options: CorpusOptions, spool: CorpusSpool): AsyncGenerator<CorpusProgress> {
  const { statistics } = spool.note
  const passes = countPasses(options.sources, statistics)
  for (const [i, counts] of statistics.entries()) {
    counts.passes = passes[i]!
    const once = counts.passes === 1
    counts.trainingRows = once ? counts.kept : 0
    counts.trainingTokens = once ? counts.tokens : 0
  }
  const file = trainingFile(statistics)
  if (file !== mixtureFile) return
  await spool.empty(file)
  const total = statistics.reduce((sum, _, i) => sum + spool.size(spoolFiles.rows(i)), 0) / 1e6
  const meter = { bytes: 0 }
  for (const [i, counts] of statistics.entries()) {
    const rows = spool.path(spoolFiles.rows(i))
    const pieces = counts.passes === 1 ? readChunks(rows, meter) : repeatRows(rows, counts, options.seed, meter)
    for await (const piece of pieces) {
      options.signal?.throwIfAborted()
      await spool.append(file, piece)
      yield { done: meter.bytes / 1e6, total, unit: 'MB', note: 'mixing' }
    }
  }
}

/** Rows as often as their source's passes say; of the last, partial pass a seeded part. */
async function* repeatRows(
  file: string,
  counts: SourceStatistics,
  seed: number,
  meter: { bytes: number },
): AsyncGenerator<Uint8Array> {
  const whole = Math.floor(counts.passes)
  let gathered = ''
  for await (const { value, line } of readJsonLines(file, meter)) {
    const row = value as TokenRow
    const chosen = new Random(seed, 'partial pass', counts.name, line).uniform() < counts.passes - whole
    const times = whole + (chosen ? 1 : 0)
    for (let i = 0; i < times; i++) {
      gathered += `${JSON.stringify(i === 0 ? row : { ...row, id: `${row.id} (${i + 1})` })}\n`
    }
    counts.trainingRows += times
    counts.trainingTokens += times * row.tokens.length
    if (gathered.length < pieceBytes) continue
    yield Buffer.from(gathered)
    gathered = ''
  }
  yield Buffer.from(gathered)
}

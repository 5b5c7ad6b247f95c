// What doctor predicts of a training beside what it takes, the median of three runs made right after, on three sizes.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { writeJsonLines } from '../src/base/files.ts'
import { formatBytes } from '../src/base/format.ts'
import { Random } from '../src/base/random.ts'
import { table } from '../src/cli/table.ts'
import type { TokenRow } from '../src/data/records.ts'
import { estimateTraining } from '../src/engine/embedded/estimate.ts'
import type { TrainingJob } from '../src/engine/engine.ts'
import { loadModelConfig } from '../src/model/config.ts'
import { scaleTime } from '../src/pipeline/doctor/estimate.ts'
import { measureMatrixRate } from '../src/runtime/matrix-rate.ts'
import { miniatureShape, writeSmallModel } from '../test/small-model.ts'
import { writeStories } from '../test/stories.ts'
import { median } from './sides/comparison.ts'
import { ownProgram, threads } from './sides/programs.ts'
import { appendTable, describeMachine, today } from './sides/record.ts'
import { runProgram } from './sides/side.ts'
import { commonJob, lora } from './sides/training-sides.ts'

const runs = 3
/** What a prediction may be off. */
const allowed = { bytes: 0.2, seconds: 0.3 }

type Job = Omit<TrainingJob, 'outputFolder'>

interface Size {
  name: string
  write: (folder: string) => Promise<unknown>
  method: Job['method']
  batch: { tokens: number; sequenceTokens: number }
  steps: number
}

const sizes: Size[] = [
  {
    name: 'the miniature, all weights',
    write: (folder) => writeSmallModel(folder, miniatureShape),
    method: { kind: 'full' },
    batch: { tokens: 1024, sequenceTokens: 128 },
    steps: 200,
  },
  {
    name: 'stories15M, all weights',
    write: writeStories,
    method: { kind: 'full' },
    batch: { tokens: 1024, sequenceTokens: 256 },
    steps: 12,
  },
  {
    name: '93 million weights, LoRA',
    write: (folder) => {
      const wide = { hidden_size: 768, num_hidden_layers: 12, num_attention_heads: 12, num_key_value_heads: 4 }
      return writeSmallModel(folder, { ...miniatureShape, ...wide, intermediate_size: 2816, vocab_size: 8000 })
    },
    method: lora,
    batch: { tokens: 1024, sequenceTokens: 512 },
    steps: 8,
  },
]

const machine = await describeMachine()
console.log(machine)
const head = ['', 'memory said', 'taken', 'off by', 'time said', 'taken', 'off by']
const rows: string[][] = []
const beyond: string[] = []
const folder = await mkdtemp(join(tmpdir(), 'meikai-bench-'))
try {
  for (const size of sizes) {
    const training = await writeJob(size, join(folder, String(rows.length)))
    const predicted = await estimateTraining({ ...training, outputFolder: folder })
    const seconds = predicted.seconds * scaleTime(threads, await measureMatrixRate(threads))
    const taken: { seconds: number; bytes: number }[] = []
    for (let run = 0; run < runs; run++) {
      const job = { training, warm: 0, unit: { pairs: 1 } }
      const { reply, peakBytes } = await runProgram<{ values: number[] }>(ownProgram('train-ours.ts'), job)
      taken.push({ seconds: reply.values[0] ?? Number.NaN, bytes: peakBytes ?? Number.NaN })
    }
    const bytes = median(taken.map((one) => one.bytes))
    const time = median(taken.map((one) => one.seconds))
    const off = { bytes: predicted.bytes / bytes - 1, seconds: seconds / time - 1 }
    for (const key of ['bytes', 'seconds'] as const) {
      if (Math.abs(off[key]) > allowed[key]) beyond.push(`${size.name}: ${key} off by ${percent(off[key])}`)
    }
    const cells = [formatBytes(predicted.bytes), formatBytes(bytes), percent(off.bytes)]
    rows.push([size.name, ...cells, `${seconds.toFixed(1)} s`, `${time.toFixed(1)} s`, percent(off.seconds)])
  }
} finally {
  await rm(folder, { recursive: true, force: true })
}
const verdict = beyond.length === 0 ? 'reached' : `NOT reached: ${beyond.join('; ')}`
const lines = [`goal memory within ${percent(allowed.bytes)}, time within ${percent(allowed.seconds)}: ${verdict}`]
for (const line of [...table(head, rows), ...lines]) console.log(line)
await appendTable(
  `${today()}, \`npm run bench -- doctor\``,
  `Trainings of ${sizes.map(({ steps }) => steps).join(', ')} steps: what doctor says, and the median of ${runs} runs right after. ${machine}.`,
  { head, rows, lines: lines.map((line) => `- ${line}`) },
)

function percent(share: number): string {
  return `${(100 * share).toFixed(0)} %`
}

/** Documents of random tokens that fill the rows of all steps. */
async function writeJob({ write, method, batch, steps }: Size, model: string): Promise<Job> {
  await write(model)
  const { vocabularySize } = await loadModelConfig(model)
  const random = new Random(1)
  const documents = Array.from({ length: ((steps + 2) * batch.tokens) / batch.sequenceTokens }, (_, i): TokenRow => {
    const tokens = Array.from({ length: batch.sequenceTokens + 1 }, () => random.integer(vocabularySize))
    return { id: String(i), source: 'made', tokens, lossFrom: 1 }
  })
  const trainingFile = join(model, 'rows.jsonl')
  await writeJsonLines(trainingFile, documents)
  return {
    ...commonJob,
    model: { folder: model },
    method,
    objective: { kind: 'next-token' },
    trainingFile,
    steps,
    batch,
    recompute: 'none',
  }
}

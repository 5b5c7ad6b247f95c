// The pair stage on generated samples: JOB REPLY.
import { mkdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { readJson, writeJson, writeJsonLines } from '../../src/base/files.ts'
import { Random } from '../../src/base/random.ts'
import { JsonLinesWriter } from '../../src/data/row-writer.ts'
import type { ExamItem } from '../../src/exam/records.ts'
import type { Stage, StageWork } from '../../src/pipeline/stage.ts'
import { pairStage } from '../../src/pipeline/stages/pair.ts'
import type { SampledExplanation } from '../../src/preference/records.ts'
import { loadRecipe } from '../../src/recipe/recipe.ts'

export interface PairsJob {
  samples: number
  samplesPerQuestion: number
  tokensPerSample: number
}

export interface PairsReply {
  seconds: number
  bytes: number
  summary: string
}

const [jobFile = '', replyFile = ''] = process.argv.slice(2)
const job = (await readJson(jobFile)) as PairsJob & { folder: string }
const items: ExamItem[] = Array.from({ length: job.samples / job.samplesPerQuestion }, (_, i) => ({
  id: `q${i}`,
  question: `第${i}問。正しいのはどれか。`,
  options: ['甲', '乙', '丙', '丁', '戊'],
  gold: [['b']],
  points: 1,
}))
await writeJsonLines(join(job.folder, 'exam-preference', 'items.jsonl'), items)
await writeJsonLines(join(job.folder, 'exam-shots', 'items.jsonl'), [])
const samplesFile = join(job.folder, 'sample-cpt', 'samples.jsonl')
await writeSamples(samplesFile)
const { recipe } = await loadRecipe(join(import.meta.dirname, '../../test/real-data/igakuqa.yaml'))
const model = { name: 'cpt', at: { folder: job.folder } }
const stage = pairStage(recipe, { id: 'sample-cpt' } as Stage, model, 1)
const folder = join(job.folder, stage.id)
await mkdir(folder)
const start = performance.now()
const outcome = await stage.run({ folder, runFolder: job.folder } as StageWork)
const { size: bytes } = await stat(samplesFile)
const reply: PairsReply = {
  seconds: (performance.now() - start) / 1000,
  bytes,
  summary: 'summary' in outcome ? outcome.summary : '',
}
await writeJson(replyFile, reply)

/** A third right, a third wrong, a third unreadable, each with tokens and log-probabilities as a sampler gives them. */
async function writeSamples(file: string): Promise<void> {
  const random = new Random(3, 'samples')
  const writer = await JsonLinesWriter.open(file)
  const vocabulary = 150_000
  for (const { id: question } of items) {
    for (let sample = 0; sample < job.samplesPerQuestion; sample++) {
      const answer = [['b'], ['a'], null][random.integer(3)] as SampledExplanation['answer']
      const words = Array.from({ length: job.tokensPerSample }, () =>
        String.fromCharCode(0x4e00 + random.integer(9000)),
      )
      await writer.write({
        id: `${question}/1/${sample}`,
        question,
        round: 1,
        sample,
        text: words.join(''),
        tokens: words.map(() => random.integer(vocabulary)),
        logProbabilities: words.map(() => Math.log(random.uniform())),
        finishReason: 'end',
        answer,
        correct: answer?.[0] === 'b',
      } satisfies SampledExplanation)
    }
  }
  await writer.close()
}

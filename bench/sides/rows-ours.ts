// The cluster's data set folder from a training file: JOB REPLY.
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { readJson, writeJson } from '../../src/base/files.ts'
import { writeTrainingRows } from '../../src/engine/cluster/training-rows.ts'
import type { TrainingJob } from '../../src/engine/engine.ts'
import { commonJob } from './training-sides.ts'

export interface RowsJob {
  kind: 'documents' | 'pairs'
  trainingFile: string
  /** Of the model: its config.json is all that is read. */
  model: string
}

export interface RowsReply {
  seconds: number
  tokens: number
  files: number
  bytes: number
}

const [jobFile = '', replyFile = ''] = process.argv.slice(2)
const { kind, trainingFile, model, folder } = (await readJson(jobFile)) as RowsJob & { folder: string }
const job: TrainingJob = {
  ...commonJob,
  model: { folder: model },
  method: { kind: 'full' },
  objective:
    kind === 'documents'
      ? { kind: 'next-token' }
      : { kind: 'preference', loss: 'rpo', beta: 0.1, alpha: 1, reference: { folder: model } },
  trainingFile,
  outputFolder: folder,
  epochs: 1,
  accumulate: kind === 'documents' ? 16 : 1,
  batch: kind === 'documents' ? { tokens: 4096, sequenceTokens: 4096 } : { pairs: 64, maxTokens: 4096 },
}
const data = join(folder, 'data')
const start = performance.now()
const { stepTokens } = await writeTrainingRows(data, job, 4)
const seconds = (performance.now() - start) / 1000
const files = (await readdir(join(data, 'train'))).filter((name) => name.endsWith('.arrow'))
const sizes = await Promise.all(files.map(async (name) => (await stat(join(data, 'train', name))).size))
const reply: RowsReply = {
  seconds,
  tokens: stepTokens.reduce((sum, tokens) => sum + tokens, 0),
  files: files.length,
  bytes: sizes.reduce((sum, size) => sum + size, 0),
}
await writeJson(replyFile, reply)

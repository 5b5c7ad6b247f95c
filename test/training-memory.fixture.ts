// Goes through a training file as an engine does, and prints how many tokens with a loss it met: a process of its own with a
// small heap, for training-memory.test.ts. Usage: WAY FILE MODEL_FOLDER OUTPUT_FOLDER
import { loadJsonLines } from '../src/base/files.ts'
import type { TokenRow } from '../src/data/records.ts'
import { writeTrainingRows } from '../src/engine/cluster/training-rows.ts'
import type { TrainingJob } from '../src/engine/engine.ts'
import { countLosses, documentRowTokens, planEvaluation, planSteps, readSteps } from '../src/engine/training-data.ts'
import { readRecords } from '../src/engine/training-records.ts'
import { loadModelConfig } from '../src/model/config.ts'
import { plainSettings } from './training-example.ts'

const [way, trainingFile, model, outputFolder] = process.argv.slice(2) as [string, string, string, string]
const job: TrainingJob = {
  ...plainSettings,
  model: { folder: model },
  method: { kind: 'full' },
  objective: { kind: 'next-token' },
  trainingFile,
  evaluationFiles: {},
  outputFolder,
  epochs: 1,
  batch: { tokens: 4096, sequenceTokens: 1024 },
  learningRate: 1,
  warmupSteps: 0,
  weightDecay: 0,
  threads: 1,
}

const ways: Record<string, () => Promise<number>> = {
  async embedded() {
    const config = await loadModelConfig(model)
    const records = await readRecords(trainingFile, job.objective, config)
    const rowTokens = documentRowTokens(job, config.contextTokens)
    let losses = 0
    for await (const step of readSteps(planSteps(records, job, rowTokens))) losses += countLosses(step, job.objective)
    for await (const batch of planEvaluation(records, job, rowTokens)) losses += countLosses([batch], job.objective)
    return losses / 2
  },
  async cluster() {
    const { stepTokens } = await writeTrainingRows(outputFolder, job, 1)
    return stepTokens.reduce((sum, tokens) => sum + tokens, 0)
  },
  async 'all at once'() {
    const rows = await loadJsonLines<TokenRow>(trainingFile)
    return rows.reduce((sum, { tokens }) => sum + tokens.length - 1, 0)
  },
}
console.log(await ways[way]!())

// Our side of sampling: opens the embedded sampler on a model and draws samples of one prompt.
// The job: {model, precision, prompt, samples, tokens}; the reply: tokens a second of all samples together, the prompt's time included.
import { readJson, writeJson } from '../../src/base/files.ts'
import type { Precision } from '../../src/model/checkpoint.ts'
import { openEmbeddedSampler } from '../../src/sampler/embedded/embedded.ts'
import type { SamplingSettings } from '../../src/sampler/sampler.ts'
import { threads } from './programs.ts'

interface Job {
  model: string
  precision: Precision
  prompt: number[]
  samples: number
  tokens: number
}

const [jobFile, replyFile] = process.argv.slice(2) as [string, string]
const { model, precision, prompt, samples, tokens } = (await readJson(jobFile)) as Job
const settings: SamplingSettings = {
  maxTokens: tokens,
  temperature: 1,
  topP: 1,
  topK: 0,
  stopTokens: [],
  stopStrings: [],
  seed: 1,
}
const sampler = await openEmbeddedSampler({ folder: model }, { threads, sequences: samples, precision })
const draw = async (length: number, count: number) => {
  const start = performance.now()
  let written = 0
  const request = { id: `prompt-${length}`, prompt: prompt.slice(-length), samples }
  for await (const completion of sampler.sample(
    [request],
    { ...settings, maxTokens: count },
    new AbortController().signal,
  )) {
    written += completion.tokens.length
  }
  return written / ((performance.now() - start) / 1000)
}
await draw(16, 2) // compiles the graph
await writeJson(replyFile, { values: [await draw(prompt.length, tokens)] })
await sampler.close()

// Sampling on the miniature's shape: tokens a second of all sequences together.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Random } from '../src/base/random.ts'
import { measureMatrixRate } from '../src/runtime/matrix-rate.ts'
import { openEmbeddedSampler } from '../src/sampler/embedded/embedded.ts'
import type { SampleRequest, SamplingSettings } from '../src/sampler/sampler.ts'
import { miniatureShape, writeSmallModel } from '../test/small-model.ts'

const threads = 2
const repetitions = 3
const settings: SamplingSettings = {
  maxTokens: 64,
  temperature: 0.8,
  topP: 1,
  topK: 0,
  stopTokens: [],
  stopStrings: [],
  seed: 1,
}

/** Prompts of 36 to 47 tokens, as the miniature's questions have. */
function questions(count: number, samples: number): SampleRequest[] {
  const random = new Random(5)
  return Array.from({ length: count }, (_, i) => ({
    id: `q${i}`,
    samples,
    prompt: Array.from({ length: 36 + random.integer(12) }, () => 2 + random.integer(1000)),
  }))
}

const folder = await mkdtemp(join(tmpdir(), 'meikai-bench-'))
try {
  await writeSmallModel(folder, miniatureShape)
  console.log(
    `float32 matrix rate: ${((await measureMatrixRate(threads)) / 1e9).toFixed(0)} GFLOP/s on ${threads} threads\n`,
  )
  console.log('case                                     sequences   completions   tokens   seconds   tokens/s')
  const cases = [
    { name: 'explanations: 8 a question, drawn', count: 210, samples: 8, sequences: 128, changes: {} },
    { name: 'examination: 1 a question, greedy', count: 252, samples: 1, sequences: 128, changes: { temperature: 0 } },
    {
      name: 'answers: 1 a question, 8 tokens, greedy',
      count: 252,
      samples: 1,
      sequences: 128,
      changes: { temperature: 0, maxTokens: 8 },
    },
    { name: 'nucleus 0.9, 8 a question', count: 105, samples: 8, sequences: 128, changes: { topP: 0.9 } },
    { name: 'stop string, 8 a question', count: 105, samples: 8, sequences: 128, changes: { stopStrings: ['一一'] } },
    { name: 'one sequence at a time', count: 4, samples: 1, sequences: 1, changes: {} },
  ]
  for (const { name, count, samples, sequences, changes } of cases) {
    const sampler = await openEmbeddedSampler({ folder }, { threads, sequences })
    const requests = questions(count, samples)
    const runs: { completions: number; tokens: number; seconds: number }[] = []
    for (let i = 0; i <= repetitions; i++) {
      const start = performance.now()
      let completions = 0
      let tokens = 0
      for await (const completion of sampler.sample(
        requests,
        { ...settings, ...changes },
        new AbortController().signal,
      )) {
        completions++
        tokens += completion.tokens.length
      }
      if (i > 0) runs.push({ completions, tokens, seconds: (performance.now() - start) / 1000 }) // the first run warms up
    }
    await sampler.close()
    const median = runs.sort((a, b) => a.seconds - b.seconds)[Math.floor(runs.length / 2)]!
    const columns = [
      sequences,
      median.completions,
      median.tokens,
      median.seconds.toFixed(2),
      (median.tokens / median.seconds).toFixed(0),
    ]
    const widths = [9, 14, 9, 10, 11]
    console.log(name.padEnd(41) + columns.map((column, i) => String(column).padStart(widths[i]!)).join(''))
  }
} finally {
  await rm(folder, { recursive: true })
}

// The comparisons of sampling: what ours and llama.cpp do in each.
import { existsSync } from 'node:fs'
import { rename } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Precision } from '../../src/model/checkpoint.ts'
import type { Comparison, Side } from './comparison.ts'
import { readTexts } from './material.ts'
import { howToInstall, llamaProgram, ownProgram, pythonProgram, threads } from './programs.ts'
import { runProgram } from './side.ts'

export const longPrompt = 900
export const shortPrompt = 64

interface Work {
  key: string
  promptTokens: number
  samples: number
  tokens: number
  /** So many tokens of a sample llama.cpp writes; it is taken to write the others at the same rate. */
  peerTokens: number
}

/** `samples` samples of `tokens` tokens on one prompt. */
export async function sampling(
  model: string,
  { key, promptTokens, samples, tokens, peerTokens }: Work,
): Promise<Comparison> {
  const prompt = (await readTexts(promptTokens)).flatMap((row) => row.tokens).slice(0, promptTokens)
  const job = { model, prompt, samples, tokens }
  const own = (key: string, name: string, precision: Precision): Side => {
    return { key, name: `meikai, ${name}`, program: ownProgram('sample-ours.ts'), job: { ...job, precision } }
  }
  const others = [own('float32', 'float32', 'float32')]
  for (const quantisation of ['Q8_0', 'Q4_0']) {
    const file = await ggufFile(model, quantisation)
    others.push({
      key: `llama-${quantisation.toLowerCase().replace('_', '')}`,
      name: `llama.cpp (node-llama-cpp), ${quantisation}`,
      program: file === undefined ? undefined : llamaProgram(),
      job: { file, prompt, samples, tokens, threads, measuredTokens: Math.min(peerTokens, tokens) },
      missing: howToInstall,
    })
  }
  return {
    key,
    work: `${samples} samples of ${tokens} tokens on one prompt of ${promptTokens}, whole vocabulary`,
    unit: 'tokens/s',
    more: true,
    measured: 'all tokens over the whole time, the prompt included',
    sides: [own('ours', '8 bits', 'int8'), ...others],
    goals: [
      { of: 'speed', ours: 'ours', against: ['llama-q80'], factor: 3, words: '3 x llama.cpp in Q8_0' },
      { of: 'speed', ours: 'ours', against: ['llama-q40'], factor: 1.2, words: '1.2 x llama.cpp in Q4_0' },
    ],
  }
}

/** The model as GGUF beside its folder, written once; undefined where the peers' Python is not there. */
async function ggufFile(model: string, quantisation: string): Promise<string | undefined> {
  const file = join(dirname(model), `${model.split('/').at(-1)}-${quantisation}.gguf`)
  if (existsSync(file)) return file
  const program = pythonProgram('gguf_model.py')
  if (program === undefined) return undefined
  await runProgram(program, { model, file: `${file}.partial`, quantisation })
  await rename(`${file}.partial`, file)
  return file
}

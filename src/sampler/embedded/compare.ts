// How two models differ, over a sample of prompts: what may follow each, and what each greedily answers.
import { internal } from '../../base/errors.ts'
import { startWorker, workerBeside } from '../../base/worker-call.ts'
import type { ModelReference } from '../../engine/engine.ts'
import type { Completion, SamplingSettings } from '../sampler.ts'

export interface ModelDifference {
  prompts: number
  /** The largest difference of a logit of what follows a prompt, over all tokens and prompts. */
  largestLogit: number
  /** Of the first model, the largest logit less the mean one, as a mean over prompts: what the difference is to be held against. */
  logitRange: number
  /** Prompts that the two answer differently: other tokens, greedily chosen. */
  answers: number
}

export interface CompareOptions {
  /** Greedy answers have at most so many tokens. */
  answerTokens: number
  threads: number
}

/** Opens one model after the other, in a thread of its own. Prompts are token ids, at least one. */
export async function compareModels(
  one: ModelReference,
  other: ModelReference,
  prompts: readonly number[][],
  options: CompareOptions,
  signal: AbortSignal,
): Promise<ModelDifference> {
  const first = await askModel(one, prompts, options, signal)
  const second = await askModel(other, prompts, options, signal)
  let largestLogit = 0
  let logitRange = 0
  let answers = 0
  for (const [i, { logits, answer }] of first.entries()) {
    const { logits: others, answer: otherAnswer } = second[i] ?? internal('a prompt that only one model was asked')
    let sum = 0
    let most = Number.NEGATIVE_INFINITY
    for (let token = 0; token < logits.length; token++) {
      largestLogit = Math.max(largestLogit, Math.abs(logits[token]! - others[token]!))
      most = Math.max(most, logits[token]!)
      sum += logits[token]!
    }
    logitRange += (most - sum / logits.length) / first.length
    if (answer.join() !== otherAnswer.join()) answers++
  }
  return { prompts: prompts.length, largestLogit, logitRange, answers }
}

/** Of each prompt the logits [vocabulary] of what follows it, and the tokens of the greedy answer. */
async function askModel(
  model: ModelReference,
  prompts: readonly number[][],
  { answerTokens, threads }: CompareOptions,
  signal: AbortSignal,
): Promise<{ logits: Float32Array; answer: number[] }[]> {
  const worker = startWorker(workerBeside(import.meta.url, 'worker'))
  try {
    const options = { threads, sequences: prompts.length }
    for await (const _ of worker.stream('open', { model, options }, signal));
    const logits: Float32Array[] = []
    for await (const one of worker.stream<Float32Array>('logits', { prompts }, signal)) logits.push(one)
    const requests = prompts.map((prompt, i) => ({ id: String(i), prompt, samples: 1 }))
    const answers: number[][] = []
    const settings = greedy(answerTokens)
    for await (const { id, tokens } of worker.stream<Completion>('sample', { requests, settings }, signal)) {
      answers[Number(id)] = tokens
    }
    return logits.map((one, i) => ({ logits: one, answer: answers[i] ?? internal('a prompt without an answer') }))
  } finally {
    await worker.close()
  }
}

function greedy(maxTokens: number): SamplingSettings {
  return { maxTokens, temperature: 0, topP: 1, topK: 0, stopTokens: [], stopStrings: [], seed: 0 }
}

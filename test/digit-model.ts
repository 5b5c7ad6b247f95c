// A model that learns which digit follows: a base of plain text, adapters in chat form or plain, and its export.
import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { writeJsonLines } from '../src/base/files.ts'
import type { TokenRow } from '../src/data/records.ts'
import { EmbeddedEngine } from '../src/engine/embedded/embedded-engine.ts'
import { initialiseModel } from '../src/engine/embedded/initial-model.ts'
import type { TrainingJob } from '../src/engine/engine.ts'
import { mergeAdapter } from '../src/engine/merging/merge.ts'
import { type ExportEvent, type ExportOrder, exportModel } from '../src/export/export-model.ts'
import { openEmbeddedSampler } from '../src/sampler/embedded/embedded.ts'
import { loadTokenizer, type Tokenizer } from '../src/tokenizer/tokenizer.ts'
import { writeByteModel } from './byte-model.ts'
import { plainSettings } from './training-example.ts'

export const digits = Array.from({ length: 10 }, (_, i) => i)
/** A question is a digit, its answer the next one. */
export const ask = (digit: number) => `${digit}?`
export const answer = (digit: number) => `${(digit + 1) % 10}.`

/** Trains the base on plain text, each ended by the end of text; no chat marker ever. Gives its folder. */
export async function trainBase(folder: string): Promise<string> {
  const start = join(folder, 'base')
  await writeByteModel(start, 'endOfText')
  await initialiseModel(start, 1)
  const tokenizer = await loadTokenizer(start)
  const rows = digits.map((digit) => ({
    prompt: tokenizer.encode(ask(digit)),
    response: encodeAnswer(tokenizer, digit),
  }))
  await train(start, join(folder, 'base-output'), rows, { kind: 'full' }, 600, 2)
  return join(folder, 'base-output', 'result')
}

function encodeAnswer(tokenizer: Tokenizer, digit: number): number[] {
  return [...tokenizer.encodeContinuation(answer(digit)), tokenizer.endToken]
}

async function train(
  model: string,
  outputFolder: string,
  rows: { prompt: number[]; response: number[] }[],
  method: TrainingJob['method'],
  steps: number,
  weightDecay: number,
): Promise<void> {
  const trainingFile = `${outputFolder}.jsonl`
  const records = rows.map(({ prompt, response }, i): TokenRow => {
    return { id: String(i), source: 'digits', tokens: [...prompt, ...response], lossFrom: prompt.length }
  })
  await writeJsonLines(trainingFile, records)
  const job: TrainingJob = {
    model: { folder: model },
    method,
    objective: { kind: 'next-token' },
    trainingFile,
    evaluationFiles: {},
    outputFolder,
    steps,
    batch: { tokens: 512, sequenceTokens: 64 },
    ...plainSettings,
    learningRate: 0.01,
    warmupSteps: 10,
    weightDecay,
    threads: 1,
  }
  for await (const _ of new EmbeddedEngine().train(job, new AbortController().signal));
}

/** Trains adapters on the digits, in chat form or plain, and exports what comes out to `<folder>/<name>-export`. */
export async function trainAndExport(
  folder: string,
  base: string,
  name: string,
  form: { end: 'turnEnd' | 'endOfText'; chat: boolean; template: 'own' | 'plain'; anyway?: boolean },
  formats: ExportOrder['formats'] = ['safetensors'],
): Promise<ExportEvent[]> {
  const start = join(folder, `${name}-base`)
  await writeByteModel(start, form.end)
  await cp(join(base, 'model.safetensors'), join(start, 'model.safetensors'))
  const tokenizer = await loadTokenizer(start)
  const rows = digits.map((digit) => ({
    prompt: form.chat ? tokenizer.encodeChat([{ role: 'user', content: ask(digit) }]) : tokenizer.encode(ask(digit)),
    response: encodeAnswer(tokenizer, digit),
  }))
  const targetModules = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj']
  const output = join(folder, `${name}-output`)
  await train(start, output, rows, { kind: 'lora', rank: 8, alpha: 16, targetModules }, 150, 0.01)
  const merged = join(folder, `${name}-merged`)
  await mergeAdapter(start, join(output, 'result'), merged)
  const order: ExportOrder = {
    name,
    modelFolder: merged,
    adapters: { folders: [join(output, 'result')], baseFolder: start, baseName: start, quantisedBases: 0 },
    formats,
    template: form.template,
    facts: { trainsRows: false, endTargets: rows.length },
    questions: digits.map((digit) => {
      const right = [String((digit + 1) % 10)]
      const item = { id: `d${digit}`, question: ask(digit), options: [], gold: [right], points: 1 }
      const recorded = {
        id: item.id,
        way: 'answer' as const,
        output: answer(digit),
        finishReason: 'end' as const,
        answer: right,
        correct: true,
        points: 1,
        class: 'answered' as const,
        reason: '',
      }
      return { item, way: 'answer' as const, prompt: ask(digit), recorded, maxTokens: 20 }
    }),
    examine: { form: 'letter', answerCue: '答え：' },
    card: {
      title: name,
      baseModel: undefined,
      sources: [{ name: 'digits', role: 'domain text', licence: 'CC0-1.0', documents: 10 }],
      scores: [],
      questions: 10,
      finding: '',
      changes: [],
      limits: [],
      examplePrompt: ask(1),
      seed: 1,
      versions: {},
      hosts: [],
    },
    anyway: form.anyway ?? false,
    folder: join(folder, `${name}-export`),
    openSampler: openEmbeddedSampler,
    threads: 1,
  }
  const events: ExportEvent[] = []
  for await (const event of exportModel(order, new AbortController().signal)) events.push(event)
  return events
}

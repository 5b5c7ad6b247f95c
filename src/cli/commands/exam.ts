// meikai exam: examines a model or an endpoint; and the exams that meikai knows, what one holds, and where it is from.
import { UserError } from '../../base/errors.ts'
import { defineCommand, jsonOption } from '../command.ts'
import { choiceOptions, endpointOptions, examOptions } from '../exam-options.ts'

const args = {
  action: { type: 'positional', required: false, description: 'list, show or fetch; to examine, leave it out' },
  name: { type: 'positional', required: false, description: "For show and fetch: an exam's name, or its .yaml file" },
  exam: { ...examOptions.exam, required: false },
  data: { ...examOptions.data, description: "The exam's data; for fetch, where to put it" },
  ...choiceOptions,
  items: { type: 'string', valueHint: 'NUMBER', description: 'A seeded choice of so many questions' },
  model: { type: 'string', valueHint: 'MODEL', description: "A model's folder, or its name at the endpoint" },
  adapter: { type: 'string', valueHint: 'FOLDER', description: "A PEFT adapter on top of a local model's folder" },
  precision: {
    type: 'string',
    valueHint: 'NAME',
    default: 'float32',
    description: "Of a local model's products: float32, int8 (less memory, quicker)",
  },
  ...endpointOptions,
  api: {
    type: 'string',
    valueHint: 'NAME',
    default: 'chat',
    description: 'How endpoints are asked: chat, completions',
  },
  dialect: {
    type: 'string',
    valueHint: 'NAME',
    default: 'plain',
    description: 'The kind of endpoint: plain, openai, vllm',
  },
  concurrency: { type: 'string', valueHint: 'NUMBER', default: '16', description: 'Calls at once, an endpoint' },
  'requests-per-minute': {
    type: 'string',
    valueHint: 'NUMBER',
    description: 'The most calls begun a minute, an endpoint',
  },
  timeout: { type: 'string', valueHint: 'SECONDS', default: '600', description: 'A call that takes longer has failed' },
  ways: { type: 'string', valueHint: 'LIST', default: 'answer,explain', description: 'Of answer, explain, rank' },
  template: {
    type: 'string',
    valueHint: 'NAME',
    description: "Prompts: ja, en, ja-chat, en-chat, or your own .yaml file (default: by the exam's language)",
  },
  shots: { type: 'string', valueHint: 'NUMBER', default: '0', description: 'Worked examples before each question' },
  examples: {
    type: 'string',
    valueHint: 'FILE',
    description: 'Where these are from (JSON Lines; the years not asked if left out)',
  },
  seed: {
    type: 'string',
    valueHint: 'NUMBER',
    description: 'Draws examples and samples; the first examples if left out',
  },
  samples: { type: 'string', valueHint: 'NUMBER', default: '1', description: 'Answers a question, put to the vote' },
  temperature: { type: 'string', valueHint: 'NUMBER', description: '0 for one answer, 0.8 for several, if left out' },
  'top-p': {
    type: 'string',
    valueHint: 'NUMBER',
    default: '1',
    description: 'Draw from the likeliest tokens of this share',
  },
  'answer-tokens': { type: 'string', valueHint: 'NUMBER', default: '64', description: 'Longest answer given at once' },
  'explain-tokens': { type: 'string', valueHint: 'NUMBER', default: '1024', description: 'Longest explanation' },
  'price-in': { type: 'string', valueHint: 'NUMBER', description: 'Price of a million tokens read, for the estimate' },
  'price-out': { type: 'string', valueHint: 'NUMBER', description: 'Price of a million tokens written' },
  overlap: {
    type: 'string',
    valueHint: 'FILE',
    description: 'What meikai overlap found: the report also has results without these items',
  },
  out: { type: 'string', valueHint: 'FOLDER', description: 'Where records go; the same folder again goes on' },
  'dry-run': { type: 'boolean', description: 'Only say what it takes; ask nothing' },
  ...jsonOption,
} as const

export const exam = defineCommand({
  meta: { name: 'exam', description: 'Examine a model or an endpoint; the exams that meikai knows' },
  args,
  examples: [
    {
      line: 'meikai exam --exam igakuqa --data igakuqa --model models/base --out runs/e',
      purpose: 'a local model, at once and explaining',
    },
    {
      line: 'meikai exam --exam igakuqa --data igakuqa --endpoint http://127.0.0.1:8000/v1 --model qwen --out runs/q',
      purpose: 'a served one; run it again and it goes on',
    },
    { line: 'meikai exam list', purpose: 'the exams that have a description' },
    { line: 'meikai exam show igakuqa --data igakuqa', purpose: 'years, points, pass marks, and what the items are' },
    { line: 'meikai exam fetch igakuqa --data igakuqa', purpose: 'the data from its own home, at a pinned revision' },
  ],
  async run({ args: options, rawArgs }) {
    const { action, name, data, json } = options
    if (action === undefined) {
      const { examineByOptions } = await import('../exam-run.ts')
      const { repeatedValues } = await import('../arguments.ts')
      return examineByOptions({ ...options, endpoints: repeatedValues(rawArgs, args, 'endpoint') })
    }
    if (action === 'list') {
      const { listExams } = await import('../exam-views.ts')
      await listExams(json === true)
      return 0
    }
    if (action !== 'show' && action !== 'fetch') {
      throw new UserError(`exam: ${action}: must be list, show or fetch.`, { status: 2 })
    }
    if (name === undefined) throw new UserError(`exam ${action}: which exam? See: meikai exam list`, { status: 2 })
    if (action === 'fetch') {
      const { fetchByName } = await import('../exam-fetch.ts')
      return fetchByName(name, data ?? name, json === true)
    }
    const { showExam } = await import('../exam-views.ts')
    await showExam(name, data, json === true)
    return 0
  },
})

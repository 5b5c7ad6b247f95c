// meikai judge: a model judges explained answers, and how far it, the rule and people agree.
import { repeatedValues } from '../arguments.ts'
import { defineCommand, jsonOption } from '../command.ts'
import { endpointOptions, examOptions } from '../exam-options.ts'

const args = {
  ...examOptions,
  answers: {
    type: 'string',
    valueHint: 'FILE',
    required: true,
    description: 'Explained answers, lines of {"id", "output"}',
  },
  model: {
    type: 'string',
    valueHint: 'MODEL',
    required: true,
    description: "The judge: a model's folder, or its name at the endpoint",
  },
  ...endpointOptions,
  template: {
    type: 'string',
    valueHint: 'FILE',
    description: "The judge's prompt (default: prompts/judge-ja.yaml of this package)",
  },
  verdicts: {
    type: 'string',
    valueHint: 'FILE',
    description: "People's verdicts, as on pairs, with the item's id as the pair: accept is sound, all others are not",
  },
  out: {
    type: 'string',
    valueHint: 'FILE',
    default: 'judged.jsonl',
    description: 'Where verdicts go; the same file again goes on',
  },
  ...jsonOption,
} as const

export const judge = defineCommand({
  meta: { name: 'judge', description: 'Let a model judge explanations; agreement with people and with the rule' },
  args,
  examples: [
    {
      line: 'meikai judge --exam igakuqa --data igakuqa --answers explained.jsonl --endpoint http://127.0.0.1:8000/v1 --model qwen',
      purpose: 'the share of sound explanations',
    },
    {
      line: 'meikai judge --exam exam.yaml --answers explained.jsonl --model models/judge --verdicts verdicts.jsonl',
      purpose: "Cohen's kappa with people's verdicts",
    },
  ],
  async run({ args: options, rawArgs }) {
    const { judgeAnswers } = await import('../judge-run.ts')
    return judgeAnswers({ ...options, endpoints: repeatedValues(rawArgs, args, 'endpoint') })
  },
})

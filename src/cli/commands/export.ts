// meikai export: a finished run's model in the forms that other programs read.
import { UserError } from '../../base/errors.ts'
import { defineCommand, jsonOption } from '../command.ts'
import { Interrupted, listenForInterrupt } from '../interrupt.ts'

const args = {
  run: { type: 'positional', required: true, description: "The finished run's folder" },
  variant: { type: 'string', valueHint: 'NAME', description: "Which of the run's variants; its last when left out" },
  format: {
    type: 'string',
    valueHint: 'FORMATS',
    default: 'safetensors',
    description: 'peft, safetensors, gguf-f32, gguf-bf16, gguf-q8_0; several with commas',
  },
  to: {
    type: 'string',
    valueHint: 'FOLDER',
    description: 'Holds a folder a format; export/VARIANT in the run when left out',
  },
  template: {
    type: 'string',
    valueHint: 'own|plain',
    default: 'own',
    description: "The chat template: the model's own, or plain, which writes messages as they are",
  },
  questions: {
    type: 'string',
    valueHint: 'COUNT',
    default: '20',
    description: 'How many test questions are asked again, each way, of what was written',
  },
  anyway: { type: 'boolean', description: 'Write a model that will not stop where it should, too' },
  ...jsonOption,
} as const

// `export` is a word of the language.
export const exportCommand = defineCommand({
  meta: { name: 'export', description: "Write a run's model for other programs, and examine what was written" },
  args,
  examples: [
    { line: 'meikai export runs/my-run', purpose: 'whole weights as safetensors, with tokenizer and model card' },
    { line: 'meikai export runs/my-run --format peft,gguf-q8_0', purpose: 'the adapter, and 8 bits for llama.cpp' },
    { line: 'meikai export runs/my-run --template plain', purpose: 'with a chat template that needs no markers' },
  ],
  async run({ args: { run, variant, format, to, template, questions, anyway, json } }) {
    const { exportFormats } = await import('../../export/export-model.ts')
    const { exportRun } = await import('../../pipeline/export-run.ts')
    const { describeExamined } = await import('../../export/stranger.ts')
    const { formatBytes } = await import('../../base/format.ts')
    const formats = format.split(',').map((name) => {
      const known = exportFormats.find((one) => one === name)
      if (known !== undefined) return known
      throw new UserError(`--format ${name}: must be among ${exportFormats.join(', ')}.`, { status: 2 })
    })
    if (template !== 'own' && template !== 'plain') {
      throw new UserError(`--template ${template}: must be own or plain.`, { status: 2 })
    }
    if (!/^\d+$/.test(questions)) {
      throw new UserError(`--questions ${questions}: must be a whole number from 0.`, { status: 2 })
    }
    const options = { variant, formats, folder: to, template, questions: Number(questions), anyway } as const
    const interrupt = listenForInterrupt(
      () => console.error('stopping; what is half written is removed (Ctrl-C again ends at once)'),
      () => {},
    )
    try {
      for await (const event of exportRun(run, options, interrupt.signal)) {
        if (json) console.log(JSON.stringify(event))
        else if (event.type === 'change-recalled') console.log(event.message)
        else if (event.type === 'problem-found') console.log(`! ${event.name}: ${event.message}`)
        else if (event.type === 'model-written') console.log(`${formatBytes(event.bytes).padStart(8)}  ${event.folder}`)
        else console.log(`          ${event.format}: ${describeExamined(event)}`)
      }
      return 0
    } catch (error) {
      if (error instanceof Interrupted) return error.status
      throw error
    } finally {
      interrupt.stop()
    }
  },
})

// The export: a trained model looked over, written in the forms that other programs read, and examined again as they run it.
import { copyFile, mkdir, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { UserError } from '../base/errors.ts'
import { writeFileAtomic, writeFolderAtomic, writeJson } from '../base/files.ts'
import type { ModelReference } from '../engine/engine.ts'
import type { Encoding } from '../formats/gguf.ts'
import type { WeightType } from '../formats/safetensors-writer.ts'
import { copyModelFiles, copySource, openWeights, weightType, writeWeights } from '../formats/weights.ts'
import { loadModelConfig } from '../model/config.ts'
import type { OpenSampler } from '../sampler/sampler.ts'
import { loadTokenizer } from '../tokenizer/tokenizer.ts'
import { writeJoinedAdapter } from './adapter-export.ts'
import { writeGgufModel } from './gguf-export.ts'
import { unpackGguf } from './gguf-unpack.ts'
import { type CardExport, type CardFacts, writeCard } from './model-card.ts'
import { endTokensOf, plainTemplate, readChatTemplate, readGeneration, setChatTemplate } from './model-folder.ts'
import { checkAdapter, checkModel, type Problem, type TrainingFacts } from './release-checks.ts'
import { type Examined, type ExamineForm, examineAgain, type RecordedQuestion } from './stranger.ts'

export const exportFormats = ['peft', 'safetensors', 'gguf-f32', 'gguf-bf16', 'gguf-q8_0'] as const
export type ExportFormat = (typeof exportFormats)[number]

const encodings: Partial<Record<ExportFormat, Encoding>> = {
  'gguf-f32': 'F32',
  'gguf-bf16': 'BF16',
  'gguf-q8_0': 'Q8_0',
}

export interface JoinableAdapters {
  /** In the order of their training. */
  folders: string[]
  /** What the first was trained on, and its name for people. */
  baseFolder: string
  baseName: string
  /** How many were trained against a base in few bits. */
  quantisedBases: number
}

export interface ExportOrder {
  /** Names files and the card. */
  name: string
  /** The whole model, adapters merged. */
  modelFolder: string
  /** What the whole model was merged from. */
  adapters: JoinableAdapters | { missing: string }
  formats: readonly ExportFormat[]
  /** own: the model's chat template as it is; plain: one that writes messages as they are. */
  template: 'own' | 'plain'
  facts: TrainingFacts
  /** What the run asked, with the model's answers: asked again of everything that is written. */
  questions: readonly RecordedQuestion[]
  examine: ExamineForm
  card: CardFacts
  /** Writes it in spite of fatal problems. */
  anyway: boolean
  /** Holds a folder a format. */
  folder: string
  openSampler: OpenSampler
  threads: number
}

export type ExportEvent =
  | { type: 'change-recalled'; message: string }
  | ({ type: 'problem-found'; format?: ExportFormat } & Problem)
  | { type: 'model-written'; format: ExportFormat; folder: string; bytes: number }
  | ({ type: 'model-examined'; format: ExportFormat } & Examined)

/** Sequences that the examination computes at once. */
const sequences = 16

/**
 * Writes a model in every form asked for, each whole or not at all.
 * @throws UserError where a form cannot be had (whole weights as an adapter, a tokenizer that GGUF has no form of), and
 * where a problem is fatal: nothing is written then, unless the order says so.
 */
export async function* exportModel(order: ExportOrder, signal: AbortSignal): AsyncGenerator<ExportEvent> {
  for (const message of order.card.changes) yield { type: 'change-recalled', message }
  const problems = await checkModel(order.modelFolder, order.facts)
  const remaining =
    order.template === 'plain' ? problems.filter(({ name }) => !templateProblems.includes(name)) : problems
  for (const problem of remaining) yield { type: 'problem-found', ...problem }
  const fatal = remaining.filter(({ isFatal }) => isFatal)
  if (fatal.length > 0 && !order.anyway) {
    throw new UserError(
      `nothing was written: who runs this model would get text that does not end (${fatal.map(({ name }) => name).join(', ')}, above). Mend it and train again, or write it all the same with --anyway.`,
    )
  }
  for (const format of order.formats) {
    signal.throwIfAborted()
    const folder = join(order.folder, format)
    await writeFolderAtomic(folder, (partial) => writeFormat(order, format, partial))
    const ofFormat = format === 'peft' ? await checkAdapters(order, folder) : []
    for (const problem of ofFormat) yield { type: 'problem-found', format, ...problem }
    yield { type: 'model-written', format, folder, bytes: await bytesOf(folder) }
    const examined = await examineFormat(order, format, folder, signal)
    for (const one of examined) yield { type: 'model-examined', format, ...one }
    const card = writeCard(order.card, await describeExport(order, format, [...remaining, ...ofFormat], examined))
    await writeFileAtomic(join(folder, 'README.md'), card)
  }
}

function checkAdapters({ adapters }: ExportOrder, folder: string): Promise<Problem[]> {
  return checkAdapter(folder, 'quantisedBases' in adapters ? adapters.quantisedBases : 0)
}

async function bytesOf(folder: string): Promise<number> {
  const sizes = await Promise.all((await readdir(folder)).map(async (name) => (await stat(join(folder, name))).size))
  return sizes.reduce((sum, size) => sum + size, 0)
}

/** A plain template mends these. */
const templateProblems: Problem['name'][] = ['untrained-marker', 'no-chat-template']

async function writeFormat(order: ExportOrder, format: ExportFormat, folder: string): Promise<void> {
  const { modelFolder, adapters, name } = order
  const encoding = encodings[format]
  if (encoding !== undefined) {
    const template = order.template === 'plain' ? plainTemplate(await loadTokenizer(modelFolder)) : undefined
    await writeGgufModel(modelFolder, join(folder, `${name}-${format.slice(5)}.gguf`), { encoding, name, template })
    for (const file of await readdir(modelFolder)) {
      if (/^(LICEN[CS]E|NOTICE)/.test(file)) await copyFile(join(modelFolder, file), join(folder, file))
    }
  } else if (format === 'peft') {
    if ('missing' in adapters) throw new UserError(`peft: ${adapters.missing} Export safetensors.`)
    await copyBesides(order, folder, 'F32')
    await rm(join(folder, 'config.json')) // an adapter's folder with one is taken for a whole model
    await writeJoinedAdapter(adapters.folders, adapters.baseName, folder)
  } else {
    const weights = await openWeights(modelFolder)
    await copyBesides(order, folder, weightType(weights))
    await writeWeights(folder, [...weights.tensors.values()].map(copySource))
  }
}

/** What stands beside the weights: configuration, tokenizer, licence; the chat template asked for; every end token. */
async function copyBesides({ modelFolder, template }: ExportOrder, folder: string, type: WeightType): Promise<void> {
  await copyModelFiles(modelFolder, folder, type)
  await rm(join(folder, 'README.md'), { force: true }) // the base's own card
  const [tokenizer, config] = [await loadTokenizer(modelFolder), await loadModelConfig(modelFolder)]
  const generation = { ...(await readGeneration(modelFolder)), eos_token_id: endTokensOf(tokenizer, config) }
  await writeJson(join(folder, 'generation_config.json'), generation)
  if (template === 'plain') await setChatTemplate(folder, plainTemplate(tokenizer))
}

async function examineFormat(
  order: ExportOrder,
  format: ExportFormat,
  folder: string,
  signal: AbortSignal,
): Promise<Examined[]> {
  if (order.questions.length === 0) return []
  const unpacked = `${folder}.examined`
  try {
    const model = await locateWritten(order, format, folder, unpacked)
    const tokenizer = await loadTokenizer('adapter' in model && model.adapter !== undefined ? folder : model.folder)
    const hasTemplate = (await readChatTemplate(model.adapter ?? model.folder)) !== undefined
    const sampler = await order.openSampler(model, { threads: order.threads, sequences })
    try {
      const examined: Examined[] = []
      for (const through of hasTemplate ? (['prompt', 'chat'] as const) : (['prompt'] as const)) {
        examined.push(await examineAgain(sampler, through, order.questions, order.examine, tokenizer, signal))
      }
      return examined
    } finally {
      await sampler.close()
    }
  } finally {
    await rm(unpacked, { recursive: true, force: true })
  }
}

/** What was written, as our sampler reads it: a GGUF file is turned back into a folder first. */
async function locateWritten(
  order: ExportOrder,
  format: ExportFormat,
  folder: string,
  unpacked: string,
): Promise<ModelReference> {
  if (format === 'safetensors') return { folder }
  if (format === 'peft' && 'folders' in order.adapters) return { folder: order.adapters.baseFolder, adapter: folder }
  await mkdir(unpacked, { recursive: true })
  await copyBesides(order, unpacked, 'F32')
  const [file] = (await readdir(folder)).filter((name) => name.endsWith('.gguf'))
  await unpackGguf(join(folder, file!), unpacked)
  return { folder: unpacked }
}

async function describeExport(
  order: ExportOrder,
  format: ExportFormat,
  problems: readonly Problem[],
  examined: readonly Examined[],
): Promise<CardExport> {
  const tokenizer = await loadTokenizer(order.modelFolder)
  const ends = endTokensOf(tokenizer, await loadModelConfig(order.modelFolder))
  const own = (await readChatTemplate(order.modelFolder)) === undefined ? 'none' : 'own'
  return {
    format,
    endTokens: ends.map((id) => ({ id, spelling: tokenizer.spelling(id) ?? '' })),
    template: order.template === 'plain' ? 'plain' : own,
    problems,
    examined,
  }
}

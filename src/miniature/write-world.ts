// Writes the world of a seed to disk: the model folder without weights, texts, examinations.
import { join } from 'node:path'
import { writeFolderAtomic, writeJson, writeJsonLines } from '../base/files.ts'
import { baseMixture, pretrainMixture } from './mixture.ts'
import { splitExam, writeItems } from './splits.ts'
import { endToken, makeVocabulary, tokenizerConfig, tokenizerFile } from './vocabulary.ts'
import { makeWorld } from './world.ts'

export interface WorldOptions {
  seed: number
  /** Share of the past exam's entries in the texts of continued pretraining that are printed with an explanation. */
  explainedShare: number
  /** How many documents the base reads. */
  baseDocuments?: number
  /** How many documents continued pretraining reads. */
  pretrainDocuments?: number
}

/** As in a recipe (miniature.baseDocuments, miniature.pretrainDocuments): enough that no document comes twice in the quickstart. */
const defaultDocuments = { base: 42_000, pretrain: 42_000 }

const contextTokens = 256

/** What was written, for a summary. */
export interface WrittenWorld {
  /** Files, relative to the folder. */
  files: string[]
  vocabulary: number
  documents: Record<string, number>
  questions: Record<string, number>
}

/**
 * Fills a folder, which is replaced whole:
 * `model/` (config.json, tokenizer.json, tokenizer_config.json; no weights),
 * `base/{medicine,general,answered,explained}.jsonl` (what the base reads),
 * `pretrain/{medicine,past-exam,replay}.jsonl` (what continued pretraining reads), lines of {text} or {prompt, completion},
 * `exam/{past,preference,test}.jsonl` (exam items). The same options give the same bytes.
 */
export async function writeWorld(folder: string, options: WorldOptions): Promise<WrittenWorld> {
  const { seed, explainedShare } = options
  const world = makeWorld(seed)
  const splits = splitExam(world, seed)
  const vocabulary = makeVocabulary(world)
  const base = baseMixture(world, {
    seed,
    explainedShare,
    documents: options.baseDocuments ?? defaultDocuments.base,
  })
  const pretrain = pretrainMixture(world, splits.past, {
    seed,
    explainedShare,
    documents: options.pretrainDocuments ?? defaultDocuments.pretrain,
  })
  const jsonFiles: Record<string, unknown> = {
    'model/config.json': modelConfig(vocabulary),
    'model/tokenizer.json': tokenizerFile(vocabulary),
    'model/tokenizer_config.json': tokenizerConfig(contextTokens),
  }
  const documents = {
    ...nameFiles('base', base),
    ...nameFiles('pretrain', pretrain),
  }
  const questions = nameFiles('exam', {
    past: writeItems(world, splits.past, seed),
    preference: writeItems(world, splits.preference, seed),
    test: writeItems(world, splits.test, seed),
  })
  await writeFolderAtomic(folder, async (partial) => {
    for (const [name, value] of Object.entries(jsonFiles)) await writeJson(join(partial, name), value)
    for (const [name, lines] of Object.entries({ ...documents, ...questions })) {
      await writeJsonLines(join(partial, name), lines)
    }
  })
  return {
    files: [...Object.keys(jsonFiles), ...Object.keys(documents), ...Object.keys(questions)],
    vocabulary: vocabulary.length,
    documents: countLines(documents),
    questions: countLines(questions),
  }
}

function nameFiles<T>(folder: string, parts: Record<string, T[]>): Record<string, T[]> {
  return Object.fromEntries(Object.entries(parts).map(([name, lines]) => [`${folder}/${name}.jsonl`, lines]))
}

function countLines(files: Record<string, unknown[]>): Record<string, number> {
  return Object.fromEntries(Object.entries(files).map(([name, lines]) => [name, lines.length]))
}

/** A Qwen2 of 1.13 million parameters. */
function modelConfig(vocabulary: readonly string[]): Record<string, unknown> {
  return {
    architectures: ['Qwen2ForCausalLM'],
    model_type: 'qwen2',
    vocab_size: vocabulary.length,
    hidden_size: 128,
    num_hidden_layers: 4,
    num_attention_heads: 4,
    num_key_value_heads: 2,
    intermediate_size: 512,
    hidden_act: 'silu',
    max_position_embeddings: contextTokens,
    rope_theta: 10_000,
    rms_norm_eps: 1e-6,
    tie_word_embeddings: true,
    use_sliding_window: false,
    attention_dropout: 0,
    eos_token_id: vocabulary.indexOf(endToken),
    torch_dtype: 'float32',
  }
}

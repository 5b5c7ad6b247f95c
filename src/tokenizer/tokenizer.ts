// The tokenizer of a model folder: texts to token ids and back, special tokens, chat template.
//
// Prompt and completion are always tokenised apart: `encode(prompt)` followed by `encodeContinuation(completion)`.
// A sampler can only go on from whole tokens, so a model that is trained on ids in which a merge reached across the
// seam would meet, when it writes, a prompt that it was never trained on. Tokenised apart, the prompt's ids are the same
// in training, in sampling and in scoring, and no merge can cross the seam because none is looked for there.
// `encodeContinuation` differs from `encode` in adding neither a beginning-of-sequence token nor the space that
// SentencePiece-like tokenizers put before a text's first word.
import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { Tokenizer as Encoder } from '@huggingface/tokenizers'
import { messageOf, UserError } from '../base/errors.ts'
import { readJson, readText } from '../base/files.ts'
import { type ChatMessage, renderChat } from './chat-template.ts'
import { type TokenizerFile, withoutTextPrefix } from './tokenizer-file.ts'

export interface Tokenizer {
  /** Largest token id + 1. A model's embedding may have more rows. */
  readonly vocabularySize: number
  /** The token that ends a document or a response in training: tokenizer_config.json's eos_token. */
  readonly endToken: number
  /** Every token id that ends a completion: `endToken` and those of generation_config.json and config.json. */
  readonly endTokens: readonly number[]
  /** The beginning-of-sequence token, where the tokenizer has one. */
  readonly beginToken: number | undefined
  /** The padding token, where the tokenizer has one; often it is the end token. */
  readonly padToken: number | undefined
  /** The ids of a document or a prompt, with the beginning-of-sequence token where tokenizer.json asks for one. */
  encode(text: string): number[]
  /** The ids of a text that goes on after a prompt: nothing is put before it. */
  encodeContinuation(text: string): number[]
  /** The text of whole sequences; special tokens are left out unless `special` is 'keep'. */
  decode(tokens: readonly number[], special?: 'keep' | 'skip'): string
  /** A token as tokenizer.json spells it, or undefined where the id has none. */
  spelling(token: number): string | undefined
  /** The id of a token as tokenizer.json spells it. */
  idOf(spelling: string): number | undefined
  isSpecial(token: number): boolean
  /** The ids of a conversation in the model's chat template, up to where the assistant's next message starts. UserError where the model has no template. */
  encodeChat(messages: ChatMessage[]): number[]
  /** The same as text. */
  renderChat(messages: ChatMessage[]): string
}

interface TokenizerConfig {
  [key: string]: unknown
  chat_template?: unknown
}

/**
 * Reads the tokenizer of a Hugging Face model folder: tokenizer.json, tokenizer_config.json, and, where they are there,
 * generation_config.json, config.json (end-of-sequence ids) and chat_template.jinja.
 * Throws a UserError that names the file when one is missing, broken or of an unknown kind.
 */
export async function loadTokenizer(folder: string): Promise<Tokenizer> {
  const path = join(folder, 'tokenizer.json')
  const file = (await readJson(path)) as TokenizerFile
  const config = (await readJson(join(folder, 'tokenizer_config.json'))) as TokenizerConfig
  const generation = await readOptional(join(folder, 'generation_config.json'), readJson)
  const model = await readOptional(join(folder, 'config.json'), readJson)
  const template = await readOptional(join(folder, 'chat_template.jinja'), readText)
  return createTokenizer(file, template === undefined ? config : { ...config, chat_template: template }, {
    path,
    endTokens: [...endTokensOf(generation), ...endTokensOf(model)],
  })
}

/** A tokenizer from the contents of tokenizer.json and tokenizer_config.json; `path` is what errors name. */
export function createTokenizer(
  file: TokenizerFile,
  config: TokenizerConfig,
  options: { path: string; endTokens?: number[] },
): Tokenizer {
  return new HuggingFaceTokenizer(file, config, options.path, options.endTokens ?? [])
}

class HuggingFaceTokenizer implements Tokenizer {
  readonly vocabularySize: number
  readonly endToken: number
  readonly endTokens: readonly number[]
  readonly beginToken: number | undefined
  readonly padToken: number | undefined
  private readonly encoder: Encoder
  private readonly continuationEncoder: Encoder
  private readonly specialTokens: Set<number>
  private readonly specialSpellings: Record<string, string>
  private readonly config: TokenizerConfig
  private readonly path: string

  constructor(file: TokenizerFile, config: TokenizerConfig, path: string, endTokens: number[]) {
    this.config = config
    this.path = path
    this.encoder = openEncoder(file, config, path)
    const bare = withoutTextPrefix(file)
    this.continuationEncoder = bare === file ? this.encoder : openEncoder(bare, config, path)
    this.vocabularySize = highestToken(file) + 1
    this.specialTokens = new Set((file.added_tokens ?? []).filter((token) => token.special).map((token) => token.id))
    this.specialSpellings = {}
    for (const key of ['bos_token', 'eos_token', 'unk_token', 'pad_token']) {
      const spelling = spellingOf(config[key])
      if (spelling !== undefined) this.specialSpellings[key] = spelling
    }
    this.beginToken = this.specialId('bos_token')
    this.padToken = this.specialId('pad_token')
    const endToken = this.specialId('eos_token')
    if (endToken === undefined) {
      throw new UserError(
        `${path}: tokenizer_config.json beside it names no eos_token that is in the vocabulary. Add one: documents and responses end with it.`,
      )
    }
    this.endToken = endToken
    this.endTokens = [...new Set([endToken, ...endTokens])]
  }

  encode(text: string): number[] {
    return this.ids(this.encoder, text, true)
  }

  encodeContinuation(text: string): number[] {
    return this.ids(this.continuationEncoder, text, false)
  }

  decode(tokens: readonly number[], special: 'keep' | 'skip' = 'skip'): string {
    const kept = special === 'keep' ? [...tokens] : tokens.filter((token) => !this.specialTokens.has(token))
    // Ids that only pad the embedding have no spelling, and no text.
    const spelt = kept.filter((token) => this.encoder.id_to_token(token) !== undefined)
    if (spelt.length === 0) return ''
    return this.encoder.decode(spelt, { clean_up_tokenization_spaces: false })
  }

  spelling(token: number): string | undefined {
    return this.encoder.id_to_token(token)
  }

  idOf(spelling: string): number | undefined {
    return this.encoder.token_to_id(spelling)
  }

  isSpecial(token: number): boolean {
    return this.specialTokens.has(token)
  }

  encodeChat(messages: ChatMessage[]): number[] {
    return this.ids(this.encoder, this.renderChat(messages), false) // the template writes the special tokens itself
  }

  renderChat(messages: ChatMessage[]): string {
    return renderChat(this.config.chat_template, messages, this.specialSpellings, this.path)
  }

  private ids(encoder: Encoder, text: string, addSpecialTokens: boolean): number[] {
    if (text === '' && !addSpecialTokens) return []
    const { ids } = encoder.encode(text, { add_special_tokens: addSpecialTokens })
    const missing = (ids as (number | undefined)[]).indexOf(undefined)
    if (missing >= 0) {
      throw new UserError(
        `${this.path}: the vocabulary has no token for a part of ${JSON.stringify(text.slice(0, 40))} and no unk_token. Add an unknown token or the missing characters.`,
      )
    }
    return ids
  }

  private specialId(key: string): number | undefined {
    const spelling = this.specialSpellings[key]
    return spelling === undefined ? undefined : this.encoder.token_to_id(spelling)
  }
}

function openEncoder(file: TokenizerFile, config: TokenizerConfig, path: string): Encoder {
  try {
    // The library looks these keys up without asking whether they are there; tokenizer.json may leave them out.
    const whole = { normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null, ...file }
    return new Encoder({ ...whole, added_tokens: file.added_tokens ?? [] }, config)
  } catch (error) {
    throw new UserError(`${path}: not a tokenizer that meikai reads (${messageOf(error)}).`, { cause: error })
  }
}

function highestToken(file: TokenizerFile): number {
  const { vocab } = file.model
  let highest = Array.isArray(vocab) ? vocab.length - 1 : -1
  if (!Array.isArray(vocab)) for (const id of Object.values(vocab)) highest = Math.max(highest, id)
  for (const token of file.added_tokens ?? []) highest = Math.max(highest, token.id)
  return highest
}

/** A special token in tokenizer_config.json is a string or an object with `content`. */
function spellingOf(token: unknown): string | undefined {
  if (typeof token === 'string') return token
  if (typeof token === 'object' && token !== null && 'content' in token) return String(token.content)
  return undefined
}

/** eos_token_id is a number, a list of numbers, or absent. */
function endTokensOf(config: unknown): number[] {
  const ids = (config as { eos_token_id?: unknown } | undefined)?.eos_token_id
  return (Array.isArray(ids) ? ids : [ids]).filter((id): id is number => Number.isInteger(id))
}

/** Reads a file that need not be there. */
async function readOptional<T>(path: string, read: (path: string) => Promise<T>): Promise<T | undefined> {
  try {
    await access(path)
  } catch {
    return undefined
  }
  return read(path)
}

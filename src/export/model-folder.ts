// What stands beside a model's weights and decides how it writes: chat template, generation settings, tokens that end.
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { UserError } from '../base/errors.ts'
import { exists, readJson, readText, writeJson } from '../base/files.ts'
import type { ModelConfig } from '../model/config.ts'
import type { Tokenizer } from '../tokenizer/tokenizer.ts'

/** generation_config.json as far as it is carried over. */
export interface GenerationSettings {
  [key: string]: unknown
  temperature?: number
  top_p?: number
  top_k?: number
  do_sample?: boolean
}

/** generation_config.json; empty where there is none. */
export async function readGeneration(folder: string): Promise<GenerationSettings> {
  const path = join(folder, 'generation_config.json')
  if (!(await exists(path))) return {}
  const value = await readJson(path)
  if (typeof value !== 'object' || value === null) throw new UserError(`${path}: not a JSON object.`)
  return value as GenerationSettings
}

/** The model's chat template: chat_template.jinja, or tokenizer_config.json's (the one named default, of several). */
export async function readChatTemplate(folder: string): Promise<string | undefined> {
  const path = join(folder, 'chat_template.jinja')
  if (await exists(path)) return readText(path)
  const config = (await readJson(join(folder, 'tokenizer_config.json'))) as { chat_template?: unknown }
  const given = config.chat_template
  const template = Array.isArray(given)
    ? (given as { name?: string; template?: unknown }[]).find(({ name }) => name === 'default')?.template
    : given
  return typeof template === 'string' ? template : undefined
}

/** A chat template without markers: messages as they are, after each other, as a model that was trained on plain text has them. */
export function plainTemplate(tokenizer: Tokenizer): string {
  const isBegun = tokenizer.beginToken !== undefined && tokenizer.encode('a')[0] === tokenizer.beginToken
  return `${isBegun ? '{{ bos_token }}' : ''}{% for message in messages %}{{ message.content }}{% endfor %}`
}

/** Puts another chat template in the place of a folder's own. */
export async function setChatTemplate(folder: string, template: string): Promise<void> {
  await rm(join(folder, 'chat_template.jinja'), { force: true })
  const path = join(folder, 'tokenizer_config.json')
  await writeJson(path, { ...((await readJson(path)) as object), chat_template: template })
}

/** Every token that ends a completion: the one that ends responses in training first. */
export function endTokensOf(tokenizer: Tokenizer, config: ModelConfig): number[] {
  return [...new Set([...tokenizer.endTokens, ...config.endOfSequence])]
}

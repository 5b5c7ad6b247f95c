// Chat templates: a conversation as the text that a model was trained on.
import { Template } from '@huggingface/jinja'
import { messageOf, UserError } from '../base/errors.ts'

export interface ChatMessage {
  role: 'system' | 'user' | 'assistant'
  content: string
}

/**
 * Renders a conversation up to where the assistant's next message starts.
 * `template` is tokenizer_config.json's chat_template: one Jinja text, or a list of named ones of which 'default' is taken.
 * `specialTokens` are the template's variables bos_token, eos_token and so on.
 */
export function renderChat(
  template: unknown,
  messages: ChatMessage[],
  specialTokens: Record<string, string>,
  path: string,
): string {
  const source = Array.isArray(template)
    ? (template as { name: string; template: string }[]).find(({ name }) => name === 'default')?.template
    : template
  if (typeof source !== 'string') {
    throw new UserError(`${path}: the model has no chat template. Give it plain text, or a model that has one.`)
  }
  try {
    return new Template(source).render({ ...specialTokens, messages, add_generation_prompt: true })
  } catch (error) {
    throw new UserError(`${path}: the chat template refused the conversation (${messageOf(error)}).`, { cause: error })
  }
}

// What the servers that speak OpenAI's protocol have beyond its common part, one row each.
import type { Capability } from '../sampler.ts'

export const dialectNames = ['plain', 'openai', 'vllm'] as const
export type DialectName = (typeof dialectNames)[number]

export interface Dialect {
  /** Beyond text in, text and stop reason out (and conversations, where the chat interface is used). */
  capabilities: readonly Capability[]
  /** Fields that go with every call, besides the common ones. */
  fields: Record<string, unknown>
  /** How the chat interface calls the most new tokens. */
  chatLimit: 'max_tokens' | 'max_completion_tokens'
}

export const dialects: Record<DialectName, Dialect> = {
  /** The common part alone: any server (llama-server, Ollama, transformers serve, hosted ones). */
  plain: { capabilities: [], fields: {}, chatLimit: 'max_tokens' },
  /** OpenAI's own service. */
  openai: { capabilities: ['log-probabilities'], fields: {}, chatLimit: 'max_completion_tokens' },
  /**
   * vLLM from 0.10.2 on: token ids in its answers, raw log-probabilities. What a call leaves open it takes from the
   * model's generation_config.json (Qwen2.5's instruct models: a repetition penalty, topK), so nothing is left open.
   */
  vllm: {
    capabilities: [
      'token-prompts',
      'tokens',
      'log-probabilities',
      'seeds',
      'top-k',
      'stop-tokens',
      'stop-reasons',
      'context',
      'continuations',
    ],
    fields: {
      return_token_ids: true,
      top_k: 0,
      min_p: 0,
      repetition_penalty: 1,
      presence_penalty: 0,
      frequency_penalty: 0,
    },
    chatLimit: 'max_tokens',
  },
}

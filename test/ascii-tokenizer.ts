// A tokenizer of single ASCII characters in the form of Qwen2's, which is made of bytes: whatever is written reads as the same tokens.
import { join } from 'node:path'
import { writeJson } from '../src/base/files.ts'

/** Byte-level vocabularies spell the blank with a letter of its own. */
const characters = ['Ġ', ...Array.from({ length: 94 }, (_, i) => String.fromCodePoint(33 + i))]

/** Tokens: <unk>, <eos>, and the characters. */
export const asciiTokens = 2 + characters.length

/** Writes the tokenizer and the generation settings of a model folder; token 1 is its end. */
export async function writeAsciiTokenizer(folder: string): Promise<void> {
  const vocab = Object.fromEntries(['<unk>', '<eos>', ...characters].map((spelling, id) => [spelling, id]))
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false }
  await writeJson(join(folder, 'tokenizer.json'), {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: [
      { id: 1, content: '<eos>', single_word: false, lstrip: false, rstrip: false, special: true, normalized: false },
    ],
    normalizer: null,
    pre_tokenizer: byteLevel,
    post_processor: null,
    decoder: byteLevel,
    model: { type: 'BPE', vocab, merges: [] },
  })
  await writeJson(join(folder, 'tokenizer_config.json'), { eos_token: '<eos>', pad_token: '<eos>' })
  await writeJson(join(folder, 'generation_config.json'), { do_sample: true, eos_token_id: 1, pad_token_id: 1 })
}

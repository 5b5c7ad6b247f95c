// llama2.c's tokenizer.bin as the contents of tokenizer.json and tokenizer_config.json.
//
// The file: int32 length of the longest token; then for each token float32 score, int32 byte length, the bytes (all little
// endian). Ids 0 to 2 are <unk>, <s>, </s>; ids 3 to 258 are the single bytes; a token's spaces are plain spaces.
// Scores rank merges: of all adjacent pairs whose concatenation is a token, the one with the highest score is merged first
// (SentencePiece's BPE). The equal tokenizer.json lists every split of every token into two tokens, best score first.
import { UserError } from '../base/errors.ts'
import type { TokenizerFile } from './tokenizer-file.ts'

const FIRST_BYTE_TOKEN = 3
const FIRST_PIECE = FIRST_BYTE_TOKEN + 256
const SPACE = '▁'

/** Converts tokenizer.bin, given the vocabulary size that the model's header states. Throws a UserError on a file that is too short. */
export function convertLlama2cTokenizer(
  bytes: Uint8Array,
  vocabularySize: number,
): { file: TokenizerFile; config: Record<string, unknown> } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const vocab: Record<string, number> = {}
  const pieces: { piece: string; score: number }[] = []
  let offset = 4
  for (let id = 0; id < vocabularySize; id++) {
    if (offset + 8 > bytes.length || offset + 8 + view.getInt32(offset + 4, true) > bytes.length) {
      throw new UserError(`tokenizer.bin: ends after ${id} of ${vocabularySize} tokens. It belongs to another model.`)
    }
    const score = view.getFloat32(offset, true)
    const length = view.getInt32(offset + 4, true)
    const text = new TextDecoder().decode(bytes.subarray(offset + 8, offset + 8 + length))
    offset += 8 + length
    const piece = pieceOf(id, text)
    vocab[piece] = id
    if (id >= FIRST_PIECE) pieces.push({ piece, score })
  }
  return { file: tokenizerFile(vocab, mergesOf(pieces, vocab)), config: TOKENIZER_CONFIG }
}

const TOKENIZER_CONFIG = {
  tokenizer_class: 'LlamaTokenizer',
  bos_token: '<s>',
  eos_token: '</s>',
  unk_token: '<unk>',
  clean_up_tokenization_spaces: false,
}

function pieceOf(id: number, text: string): string {
  if (id < FIRST_BYTE_TOKEN) return ['<unk>', '<s>', '</s>'][id] as string
  if (id < FIRST_PIECE) return `<0x${(id - FIRST_BYTE_TOKEN).toString(16).toUpperCase().padStart(2, '0')}>`
  return text.replaceAll(' ', SPACE)
}

/** Every split of every piece into two pieces, by falling score of the whole; equal scores keep the order of ids. */
function mergesOf(pieces: { piece: string; score: number }[], vocab: Record<string, number>): [string, string][] {
  const merges: [string, string][] = []
  for (const { piece } of pieces.toSorted((a, b) => b.score - a.score)) {
    const characters = [...piece]
    for (let cut = 1; cut < characters.length; cut++) {
      const left = characters.slice(0, cut).join('')
      const right = characters.slice(cut).join('')
      if (Object.hasOwn(vocab, left) && Object.hasOwn(vocab, right)) merges.push([left, right])
    }
  }
  return merges
}

function tokenizerFile(vocab: Record<string, number>, merges: [string, string][]): TokenizerFile {
  const special = (id: number, content: string) => ({ id, content, special: true, normalized: false })
  return {
    version: '1.0',
    added_tokens: [special(0, '<unk>'), special(1, '<s>'), special(2, '</s>')],
    normalizer: {
      type: 'Sequence',
      normalizers: [
        { type: 'Prepend', prepend: SPACE },
        { type: 'Replace', pattern: { String: ' ' }, content: SPACE },
      ],
    },
    pre_tokenizer: null,
    post_processor: {
      type: 'TemplateProcessing',
      single: [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
      pair: [{ Sequence: { id: 'A', type_id: 0 } }, { Sequence: { id: 'B', type_id: 1 } }],
      special_tokens: { '<s>': { id: '<s>', ids: [1], tokens: ['<s>'] } },
    },
    decoder: {
      type: 'Sequence',
      decoders: [
        { type: 'Replace', pattern: { String: SPACE }, content: ' ' },
        { type: 'ByteFallback' },
        { type: 'Fuse' },
        { type: 'Strip', content: ' ', start: 1, stop: 0 },
      ],
    },
    model: { type: 'BPE', byte_fallback: true, fuse_unk: true, unk_token: '<unk>', vocab, merges },
  }
}

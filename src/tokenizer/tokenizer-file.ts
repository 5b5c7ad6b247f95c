// tokenizer.json as far as meikai looks into it; the rest is the tokenizer library's.

export interface TokenizerFile {
  [key: string]: unknown
  model: { [key: string]: unknown; vocab: Record<string, number> | [string, number][] }
  added_tokens?: { id: number; content: string; special?: boolean }[]
  normalizer?: Component | null
  pre_tokenizer?: Component | null
}

interface Component {
  [key: string]: unknown
  type: string
  normalizers?: Component[]
  pretokenizers?: Component[]
}

/**
 * The same tokenizer without what it puts before a text's first word (SentencePiece's space, byte-level BPE's
 * add_prefix_space). The very same object where it puts nothing.
 */
export function withoutTextPrefix(file: TokenizerFile): TokenizerFile {
  const normalizer = bareNormalizer(file.normalizer ?? null)
  const preTokenizer = barePreTokenizer(file.pre_tokenizer ?? null)
  const unchanged = normalizer === (file.normalizer ?? null) && preTokenizer === (file.pre_tokenizer ?? null)
  return unchanged ? file : { ...file, normalizer, pre_tokenizer: preTokenizer }
}

function bareNormalizer(component: Component | null): Component | null {
  if (component?.type === 'Prepend') return null
  if (component?.type !== 'Sequence') return component
  const parts = (component.normalizers ?? []).map(bareNormalizer)
  if (parts.every((part, i) => part === component.normalizers?.[i])) return component
  return { ...component, normalizers: parts.filter((part) => part !== null) }
}

function barePreTokenizer(component: Component | null): Component | null {
  if (component?.type === 'Metaspace' && component.prepend_scheme !== 'never') {
    return { ...component, prepend_scheme: 'never', add_prefix_space: false }
  }
  if (component?.type === 'ByteLevel' && component.add_prefix_space === true) {
    return { ...component, add_prefix_space: false }
  }
  if (component?.type !== 'Sequence') return component
  const parts = (component.pretokenizers ?? []).map(barePreTokenizer)
  if (parts.every((part, i) => part === component.pretokenizers?.[i])) return component
  return { ...component, pretokenizers: parts.filter((part) => part !== null) }
}

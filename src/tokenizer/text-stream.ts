// Decoding as tokens arrive: text comes out once no later token can change it.
import type { Tokenizer } from './tokenizer.ts'

/** What stands for an undecodable byte: while it ends the text, a character may still be incomplete. */
const REPLACEMENT = '\u{FFFD}'

/** At most this many tokens are held back for one character: UTF-8 has at most four bytes, SentencePiece one token a byte. */
const LONGEST_CHARACTER_TOKENS = 4

/**
 * The text of a completion, token by token. It is the text that the tokens add to their prompt (`context`, its last
 * tokens suffice): a decoder that drops a sequence's leading space keeps it here.
 */
export class TextStream {
  /** What has been decoded so far; characters that are still incomplete are left out until `end()`. */
  text = ''
  // Tokens in [anchor, read) are decoded together with new ones, because a decoder may look at its left neighbour.
  private readonly tokens: number[]
  private readonly contextTokens: number
  private anchor = 0
  private read: number
  private readonly tokenizer: Tokenizer

  constructor(tokenizer: Tokenizer, context: readonly number[]) {
    this.tokenizer = tokenizer
    this.tokens = context.slice(-LONGEST_CHARACTER_TOKENS)
    this.contextTokens = this.tokens.length
    this.read = this.contextTokens
  }

  /** Takes the next tokens and returns the text that became certain. */
  push(...tokens: number[]): string {
    this.tokens.push(...tokens)
    return this.decodeNew(this.tokens.length - this.read >= LONGEST_CHARACTER_TOKENS)
  }

  /**
   * Takes the last tokens and returns the text that is still to come; an incomplete character becomes U+FFFD. `text` is then
   * what all tokens are at once: bytes that are no text may have come out otherwise on the way.
   */
  end(...tokens: number[]): string {
    this.tokens.push(...tokens)
    const context = this.tokenizer.decode(this.tokens.slice(0, this.contextTokens))
    const seen = this.text.length
    this.text = this.tokenizer.decode(this.tokens).slice(context.length)
    return this.text.slice(seen)
  }

  private decodeNew(whole: boolean): string {
    const before = this.tokenizer.decode(this.tokens.slice(this.anchor, this.read))
    const after = this.tokenizer.decode(this.tokens.slice(this.anchor))
    if (!whole && after.endsWith(REPLACEMENT)) return ''
    const added = after.slice(before.length)
    this.anchor = this.read
    this.read = this.tokens.length
    this.text += added
    return added
  }
}

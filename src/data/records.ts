// The records that pass between stages as JSON Lines.

/** A tokenised document or answered question for next-token training. The end-of-sequence token stands last in `tokens`. */
export interface TokenRow {
  id: string
  source: string
  tokens: number[]
  /** Loss on tokens[lossFrom..]; 1 for whole documents (nothing predicts the first token), the prompt's length for completions. */
  lossFrom: number
}

/** One preference pair, ready for training. Chosen and rejected end with the end-of-sequence token where they ended by themselves. */
export interface PairRow {
  id: string
  /** The question that the pair is about; pairs of one question share its prompt. */
  question: string
  promptTokens: number[]
  chosenTokens: number[]
  rejectedTokens: number[]
}

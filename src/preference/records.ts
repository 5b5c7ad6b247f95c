// The records of sampling, pairing and expert review, as they stand in JSON Lines files.

/** One sampled explanation of a training question, read and graded. */
export interface SampledExplanation {
  /** `<question>/<round>/<sample>` */
  id: string
  question: string
  round: number
  sample: number
  text: string
  tokens: number[]
  logProbabilities: number[]
  finishReason: 'end' | 'length' | 'stop-string'
  /** The answer as read, or null when unreadable. */
  answer: string[] | null
  correct: boolean
}

/** A preference pair in the explicit-prompt form that TRL and LLaMA-Factory load, with our own fields beside it. */
export interface PreferencePair {
  id: string
  prompt: string
  chosen: string
  rejected: string
  question: string
  round: number
  /** Where the chosen text comes from. */
  chosenFrom: 'sample' | 'gold-explanation' | 'gold-answer' | 'edit'
  promptTokens: number[]
  chosenTokens: number[]
  rejectedTokens: number[]
  /** swapped: an expert exchanged chosen and rejected. */
  rejectedReason: 'wrong' | 'unreadable' | 'truncated' | 'swapped'
}

/** One line of verdicts.jsonl: what an expert said of a pair. */
export interface Verdict {
  pair: string
  verdict: 'accept' | 'reject' | 'swap' | 'edit'
  text?: string
  by: string
  time: string
}

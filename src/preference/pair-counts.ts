// What became of samples and questions when they were paired.

/** Where everything went. Samples: right + wrong + unreadable + truncated = samples; questions likewise. */
export interface PairCounts {
  samples: number
  /** Right, and ended by itself. */
  right: number
  /** Right, but went on to the limit or to a stop string: neither winner nor loser. */
  rightWithoutEnd: number
  wrong: number
  unreadable: number
  /** Cut at the limit before a right answer. */
  truncated: number
  /** Samples left out because another of the same question and side has the same text. */
  duplicates: number
  /** Responses (samples or gold) left out because prompt and response exceed maxTokens. */
  overLong: number
  questions: number
  questionsPaired: number
  /** No right sample, and no gold in its place. */
  questionsWithoutWinner: number
  questionsWithoutLoser: number
  /** Winners and losers there were, but one side had only over-long ones. */
  questionsOverLong: number
  /** Questions without a right sample whose winner is the gold. */
  questionsWithGoldOnly: number
  pairs: number
}

export function emptyCounts(): PairCounts {
  return {
    samples: 0,
    right: 0,
    rightWithoutEnd: 0,
    wrong: 0,
    unreadable: 0,
    truncated: 0,
    duplicates: 0,
    overLong: 0,
    questions: 0,
    questionsPaired: 0,
    questionsWithoutWinner: 0,
    questionsWithoutLoser: 0,
    questionsOverLong: 0,
    questionsWithGoldOnly: 0,
    pairs: 0,
  }
}

/** What to change where there is no pair at all. */
export function explainNoPairs(
  counts: PairCounts,
  options: { whenNoWinner: 'gold-explanation' | 'gold-answer' | 'drop'; maxTokens: number },
): string {
  const { samples, questions } = counts
  if (samples === 0) return 'no preference pairs: there are no samples of these questions.'
  const start = `no preference pairs from ${samples} samples of ${questions} questions`
  const right = counts.right + counts.rightWithoutEnd
  if (right === samples) {
    return `${start}: every sample was right, so there is no loser. Take harder questions, raise the temperature, or draw more samples a question.`
  }
  if (counts.questionsWithoutWinner === questions) {
    const gold =
      options.whenNoWinner === 'gold-answer'
        ? ''
        : options.whenNoWinner === 'drop'
          ? ' Set whenNoWinner to gold-explanation or gold-answer,'
          : ' The items have no explanation: set whenNoWinner to gold-answer,'
    return right === 0
      ? `${start}: every sample was wrong, so there is no winner.${gold} lower the temperature, or draw more samples.`
      : `${start}: no sample that was right ended by itself, so there is no winner.${gold} or raise the limit of tokens a sample.`
  }
  const parts = [
    [counts.questionsWithoutWinner, 'without a winner'],
    [counts.questionsWithoutLoser, 'without a loser'],
    [counts.questionsOverLong, `longer than ${options.maxTokens} tokens`],
  ] as const
  const list = parts.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`)
  return `${start}: questions ${list.join(', ')}. Raise maxTokens, let unreadable or truncated samples be losers, or draw more samples.`
}

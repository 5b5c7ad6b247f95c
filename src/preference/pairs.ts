// Preference pairs from a round's samples: winners and losers of each question, walked in step.
import { UserError } from '../base/errors.ts'
import { Random } from '../base/random.ts'
import type { PairRow } from '../data/records.ts'
import { type PromptOptions, printAnswerLine, printCompletion, printPrompt } from '../exam/prompts.ts'
import type { ExamItem } from '../exam/records.ts'
import { emptyCounts, explainNoPairs, type PairCounts } from './pair-counts.ts'
import type { PreferencePair, SampledExplanation } from './records.ts'

/** What of a tokenizer is needed here; prompt and response are tokenised apart, as in sampling. */
export interface ResponseTokenizer {
  /** The token that ends a response in training, and all that end one in sampling. */
  readonly endToken: number
  readonly endTokens: readonly number[]
  encode(text: string): number[]
  encodeContinuation(text: string): number[]
}

export interface PairOptions extends PromptOptions {
  tokenizer: ResponseTokenizer
  round: number
  /** At most this many pairs a question (Iterative RPO's K). */
  pairsPerQuestion: number
  /** Prompt and longer response together have at most this many tokens. */
  maxTokens: number
  /** The item's own explanation joins the winners, where there is one. */
  goldAsWinner: boolean
  unreadableAsLoser: boolean
  truncatedAsLoser: boolean
  whenNoWinner: 'gold-explanation' | 'gold-answer' | 'drop'
}

interface Response {
  text: string
  tokens: number[]
}
type Winner = Response & { from: PreferencePair['chosenFrom'] }
type Loser = Response & { reason: PreferencePair['rejectedReason'] }

/**
 * Pairs of one round, question by question. A winner ended by itself and is right; a loser is wrong (or unreadable, or
 * truncated, as the options say). The k-th pair of a question takes its k-th winner and k-th loser, each list begun again
 * at its end, until K pairs are made or every combination was (Pang et al. 2024, section 2).
 */
export class PairMaker {
  private readonly items: Map<string, ExamItem>
  private readonly options: PairOptions
  private readonly counts = emptyCounts()

  constructor(items: readonly ExamItem[], options: PairOptions) {
    this.items = new Map(items.map((item) => [item.id, item]))
    this.options = options
  }

  /** The pairs of a question, of all its samples; none where it is not among the items. */
  pair(question: string, samples: readonly SampledExplanation[]): PreferencePair[] {
    const item = this.items.get(question)
    if (item === undefined) return []
    const pairs = pairQuestion(item, samples, this.options, this.counts)
    this.counts.pairs += pairs.length
    return pairs
  }

  /** What became of all samples. Throws a UserError that says what to change when there is no pair at all. */
  finish(): PairCounts {
    if (this.counts.pairs === 0) throw new UserError(explainNoPairs(this.counts, this.options))
    return this.counts
  }
}

/** A seeded share of the questions, to be measured and not trained on; the same in every round. */
export function holdOutQuestions(questions: Iterable<string>, share: number, seed: number): Set<string> {
  const all = [...new Set(questions)]
  return new Set(new Random(seed, 'held-out-questions').shuffled(all).slice(0, Math.round(share * all.length)))
}

/** A pair as the engine trains on it. */
export function pairRow({ id, question, promptTokens, chosenTokens, rejectedTokens }: PreferencePair): PairRow {
  return { id, question, promptTokens, chosenTokens, rejectedTokens }
}

function pairQuestion(
  item: ExamItem,
  samples: readonly SampledExplanation[],
  options: PairOptions,
  counts: PairCounts,
): PreferencePair[] {
  counts.questions++
  counts.samples += samples.length
  const prompt = printPrompt(item, 'explain', options)
  const promptTokens = options.tokenizer.encode(prompt)
  const allWinners = winnersOf(item, samples, options, counts)
  const allLosers = losersOf(samples, options, counts)
  if (allWinners.length === 0) counts.questionsWithoutWinner++
  else if (allLosers.length === 0) counts.questionsWithoutLoser++
  if (allWinners.length === 0 || allLosers.length === 0) return []

  const fits = ({ tokens }: Response) => promptTokens.length + tokens.length <= options.maxTokens
  const winners = allWinners.filter(fits)
  const losers = allLosers.filter(fits)
  counts.overLong += allWinners.length - winners.length + (allLosers.length - losers.length)
  if (winners.length === 0 || losers.length === 0) {
    counts.questionsOverLong++
    return []
  }
  counts.questionsPaired++
  return walkInStep(winners.length, losers.length, options.pairsPerQuestion).map(([w, l], k) => {
    const winner = winners[w]!
    const loser = losers[l]!
    return {
      id: `${item.id}/${options.round}/${k}`,
      prompt,
      chosen: winner.text,
      rejected: loser.text,
      question: item.id,
      round: options.round,
      chosenFrom: winner.from,
      promptTokens,
      chosenTokens: winner.tokens,
      rejectedTokens: loser.tokens,
      rejectedReason: loser.reason,
    }
  })
}

function winnersOf(
  item: ExamItem,
  samples: readonly SampledExplanation[],
  options: PairOptions,
  counts: PairCounts,
): Winner[] {
  const right = samples.filter(({ correct }) => correct)
  const ended = right.filter(({ finishReason }) => finishReason === 'end')
  counts.right += ended.length
  counts.rightWithoutEnd += right.length - ended.length
  const winners: Winner[] = ended.map(({ text, tokens }) => ({ text, tokens, from: 'sample' }))
  const gold = (from: 'gold-explanation' | 'gold-answer'): Winner => {
    const text = from === 'gold-answer' ? printAnswerLine(item, options) : printCompletion(item, 'explain', options)
    return { text, tokens: [...options.tokenizer.encodeContinuation(text), options.tokenizer.endToken], from }
  }
  if (winners.length > 0) {
    if (options.goldAsWinner && item.explanation) winners.push(gold('gold-explanation'))
  } else if (options.whenNoWinner === 'gold-answer' || (options.whenNoWinner !== 'drop' && item.explanation)) {
    winners.push(gold(options.whenNoWinner))
    counts.questionsWithGoldOnly++
  }
  return distinct(winners, counts)
}

function losersOf(samples: readonly SampledExplanation[], options: PairOptions, counts: PairCounts): Loser[] {
  const losers: Loser[] = []
  for (const { text, tokens, correct, answer, finishReason } of samples) {
    if (correct) continue
    const reason = finishReason === 'length' ? 'truncated' : answer === null ? 'unreadable' : 'wrong'
    counts[reason]++
    if (reason === 'truncated' && !options.truncatedAsLoser) continue
    if (reason === 'unreadable' && !options.unreadableAsLoser) continue
    losers.push({ text, tokens, reason })
  }
  return distinct(losers, counts)
}

function distinct<T extends Response>(responses: T[], counts: PairCounts): T[] {
  const first = new Map<string, T>()
  for (const response of responses) if (!first.has(response.text)) first.set(response.text, response)
  counts.duplicates += responses.length - first.size
  return [...first.values()]
}

/**
 * Index pairs (winner, loser) in step, each list begun again at its end. When both ends meet, the losers are moved on by
 * one, so that no combination comes twice.
 */
function walkInStep(winners: number, losers: number, limit: number): [number, number][] {
  const cycle = (winners * losers) / greatestCommonDivisor(winners, losers)
  return Array.from({ length: Math.min(limit, winners * losers) }, (_, k) => [
    k % winners,
    (k + Math.floor(k / cycle)) % losers,
  ])
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b)
}

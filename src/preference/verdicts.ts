// Experts' verdicts on pairs: read from JSON Lines and carried out.
import { z } from 'zod'
import { internal, UserError } from '../base/errors.ts'
import { readJsonLines } from '../base/files.ts'
import type { ResponseTokenizer } from './pairs.ts'
import type { PreferencePair, Verdict } from './records.ts'

const verdictSchema = z.strictObject({
  pair: z.string().min(1),
  verdict: z.enum(['accept', 'reject', 'swap', 'edit']),
  text: z.string().optional(),
  by: z.string().min(1),
  time: z.iso.datetime({ offset: true, local: true }),
})

/** A verdict and where it stands, as file:line. */
export interface LocatedVerdict extends Verdict {
  at: string
}

/** What became of the pairs; accepted + rejected + swapped + edited + unjudged = all pairs. */
export interface VerdictCounts {
  accepted: number
  rejected: number
  swapped: number
  edited: number
  unjudged: number
  /** Verdicts that a later one of the same pair replaced. */
  superseded: number
}

/** Reads a verdicts file. Throws a UserError with file and line for a verdict that is none, or an edit without a text. */
export async function loadVerdicts(path: string): Promise<LocatedVerdict[]> {
  const verdicts: LocatedVerdict[] = []
  for await (const { value, line } of readJsonLines(path)) {
    const at = `${path}:${line}`
    const read = verdictSchema.safeParse(value)
    if (!read.success) {
      const issue = read.error.issues[0]!
      const key = issue.code === 'unrecognized_keys' ? issue.keys.join(', ') : issue.path.join('.')
      const expected = '{pair, verdict: accept | reject | swap | edit, text?, by, time}'
      throw new UserError(`${at}: ${key === '' ? '' : `${key}: `}${issue.message}. A verdict is ${expected}.`)
    }
    const { text, ...rest } = read.data
    if (rest.verdict === 'edit' && (text ?? '').trim() === '') {
      throw new UserError(`${at}: an edit needs a text: the whole chosen response, its answer line included.`)
    }
    verdicts.push({ ...rest, ...(text !== undefined && { text }), at })
  }
  return verdicts
}

/**
 * Carries out the verdicts of a round's pairs: accepted pairs stay, rejected ones leave, swapped ones exchange chosen and
 * rejected, edited ones get a new chosen text, tokenised anew. The latest verdict of a pair counts, by its time and, at
 * the same time, by its line. Verdicts of other rounds are passed over.
 */
export class PairReview {
  private readonly verdicts = new Map<string, LocatedVerdict[]>()
  private readonly round: number
  private readonly tokenizer: ResponseTokenizer
  private readonly maxTokens: number
  private readonly counts: VerdictCounts = {
    accepted: 0,
    rejected: 0,
    swapped: 0,
    edited: 0,
    unjudged: 0,
    superseded: 0,
  }

  /** @param maxTokens that a prompt and the response to it have at most together. */
  constructor(
    verdicts: readonly LocatedVerdict[],
    { round, tokenizer, maxTokens }: { round: number; tokenizer: ResponseTokenizer; maxTokens: number },
  ) {
    this.round = round
    this.tokenizer = tokenizer
    this.maxTokens = maxTokens
    for (const verdict of verdicts) {
      const earlier = this.verdicts.get(verdict.pair)
      if (earlier === undefined) this.verdicts.set(verdict.pair, [verdict])
      else earlier.push(verdict)
    }
  }

  /** Whether a pair was judged; only before its verdict is carried out. */
  has(pair: PreferencePair): boolean {
    return this.verdicts.has(pair.id)
  }

  /**
   * The pair after its verdict, or undefined where it was rejected. Throws a UserError with file and line for a swap that
   * would choose a response without an end, and for an edit that equals the rejected or is too long.
   */
  carryOut(pair: PreferencePair): PreferencePair | undefined {
    const { counts, tokenizer, maxTokens } = this
    const [first, ...others] = this.verdicts.get(pair.id) ?? []
    if (first === undefined) {
      counts.unjudged++
      return pair
    }
    this.verdicts.delete(pair.id)
    counts.superseded += others.length
    const verdict = others.reduce((a, b) => (Date.parse(a.time) <= Date.parse(b.time) ? b : a), first)
    switch (verdict.verdict) {
      case 'accept':
        counts.accepted++
        return pair
      case 'reject':
        counts.rejected++
        return undefined
      case 'swap':
        counts.swapped++
        return swapped(pair, verdict, tokenizer)
      case 'edit':
        counts.edited++
        return edited(pair, verdict, tokenizer, maxTokens)
    }
  }

  /** What became of the pairs, all of which were seen. Throws a UserError with file and line for a verdict on none of them. */
  finish(): VerdictCounts {
    for (const [pair, [verdict = internal(`no verdict on ${pair}`)]] of this.verdicts) {
      if (roundOf(pair) !== this.round && roundOf(pair) !== undefined) continue
      throw new UserError(
        `${verdict.at}: no pair ${pair}. The file was written for other pairs; take out the line, or run the review again.`,
      )
    }
    return this.counts
  }
}

/** The round that a pair's id names: `<question>/<round>/<number>`. */
function roundOf(pairId: string): number | undefined {
  const round = /\/(\d+)\/\d+$/.exec(pairId)?.[1]
  return round === undefined ? undefined : Number(round)
}

function swapped(pair: PreferencePair, verdict: LocatedVerdict, tokenizer: ResponseTokenizer): PreferencePair {
  if (!tokenizer.endTokens.includes(pair.rejectedTokens.at(-1) ?? -1)) {
    throw new UserError(
      `${verdict.at}: pair ${pair.id} cannot be swapped: its rejected response never ended, and a model trained on it would not either. Use edit with the text that should win.`,
    )
  }
  return {
    ...pair,
    chosen: pair.rejected,
    rejected: pair.chosen,
    chosenTokens: pair.rejectedTokens,
    rejectedTokens: pair.chosenTokens,
    chosenFrom: 'sample',
    rejectedReason: 'swapped',
  }
}

function edited(
  pair: PreferencePair,
  verdict: LocatedVerdict,
  tokenizer: ResponseTokenizer,
  maxTokens: number,
): PreferencePair {
  const text = verdict.text ?? internal(`edit without text at ${verdict.at}`)
  if (text === pair.rejected) {
    throw new UserError(
      `${verdict.at}: the edit of pair ${pair.id} is the rejected response itself. Use swap, or another text.`,
    )
  }
  const chosenTokens = [...tokenizer.encodeContinuation(text), tokenizer.endToken]
  const tokens = pair.promptTokens.length + chosenTokens.length
  if (tokens > maxTokens) {
    throw new UserError(
      `${verdict.at}: the edit of pair ${pair.id} has ${tokens} tokens with its prompt, and pair.maxTokens is ${maxTokens}. Shorten it, or raise that.`,
    )
  }
  return { ...pair, chosen: text, chosenTokens, chosenFrom: 'edit' }
}

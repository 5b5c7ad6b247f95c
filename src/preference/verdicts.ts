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
 * the same time, by its line. Verdicts of other rounds are passed over. Throws a UserError with file and line for a
 * pair that does not exist, for a swap that would choose a response without an end, and for an edit equal to the rejected.
 */
export function applyVerdicts(
  pairs: readonly PreferencePair[],
  verdicts: readonly LocatedVerdict[],
  round: number,
  tokenizer: ResponseTokenizer,
): { pairs: PreferencePair[]; counts: VerdictCounts } {
  const known = new Set(pairs.map(({ id }) => id))
  const latest = new Map<string, LocatedVerdict>()
  const counts: VerdictCounts = { accepted: 0, rejected: 0, swapped: 0, edited: 0, unjudged: 0, superseded: 0 }
  for (const verdict of verdicts) {
    if (!known.has(verdict.pair)) {
      if (roundOf(verdict.pair) !== round && roundOf(verdict.pair) !== undefined) continue
      throw new UserError(
        `${verdict.at}: no pair ${verdict.pair}. The file was written for other pairs; take out the line, or run the review again.`,
      )
    }
    const earlier = latest.get(verdict.pair)
    if (earlier !== undefined) counts.superseded++
    if (earlier === undefined || Date.parse(earlier.time) <= Date.parse(verdict.time)) latest.set(verdict.pair, verdict)
  }
  const kept = pairs.flatMap((pair): PreferencePair[] => {
    const verdict = latest.get(pair.id)
    switch (verdict?.verdict) {
      case undefined:
        counts.unjudged++
        return [pair]
      case 'accept':
        counts.accepted++
        return [pair]
      case 'reject':
        counts.rejected++
        return []
      case 'swap':
        counts.swapped++
        return [swapped(pair, verdict, tokenizer)]
      case 'edit':
        counts.edited++
        return [edited(pair, verdict, tokenizer)]
      default:
        return internal(`verdict ${JSON.stringify(verdict)}`)
    }
  })
  return { pairs: kept, counts }
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

function edited(pair: PreferencePair, verdict: LocatedVerdict, tokenizer: ResponseTokenizer): PreferencePair {
  const text = verdict.text ?? internal(`edit without text at ${verdict.at}`)
  if (text === pair.rejected) {
    throw new UserError(
      `${verdict.at}: the edit of pair ${pair.id} is the rejected response itself. Use swap, or another text.`,
    )
  }
  const chosenTokens = [...tokenizer.encodeContinuation(text), tokenizer.endToken]
  return { ...pair, chosen: text, chosenTokens, chosenFrom: 'edit' }
}

// The doctor's look at texts: readable, how much there is, and what may identify a person in them.
import { UserError } from '../../base/errors.ts'
import { formatCount } from '../../base/format.ts'
import { countPasses } from '../../data/corpus-mixture.ts'
import { readDocuments } from '../../data/documents.ts'
import { findIdentifiers, type IdentifierKind } from '../../data/identifiers.ts'
import type { LoadedRecipe } from '../../recipe/recipe.ts'
import type { Tokenizer } from '../../tokenizer/tokenizer.ts'
import { locatePath } from '../models.ts'
import { attempt, type Finding } from './finding.ts'

export interface TextCounts {
  documents: number
  characters: number
  /** Estimated from the beginning of the texts. */
  tokens: number
}

/** Characters that are tokenised to learn how many make a token. */
const sampledCharacters = 200_000
/** Places of identifiers of a kind that are named; the rest is counted. */
const namedPlaces = 5

/**
 * Reads a source whole.
 * @throws UserError on what is missing, empty or unreadable, naming file and line.
 */
async function inspectTexts(
  path: string,
  column: string,
  tokenizer: Tokenizer | undefined,
): Promise<TextCounts & { identifiers: Map<IdentifierKind, string[]> }> {
  const identifiers = new Map<IdentifierKind, string[]>()
  let documents = 0
  let characters = 0
  let sampled = 0
  let sampledTokens = 0
  for await (const { id, text, completion = '' } of readDocuments(path, column)) {
    const whole = text + completion
    documents++
    characters += whole.length
    if (tokenizer !== undefined && sampled < sampledCharacters) {
      sampled += whole.length
      sampledTokens += tokenizer.encode(whole).length + 1 // and the end token
    }
    for (const { kind, line } of findIdentifiers(whole)) {
      // A row of JSON Lines or Parquet is named by its own number, a file that is one text by the line in it.
      const place = /(:\d+|, row \d+)$/.test(id) ? id : `${id}:${line}`
      const places = identifiers.get(kind) ?? []
      if (places.at(-1) !== place) places.push(place)
      identifiers.set(kind, places)
    }
  }
  if (characters === 0) throw new UserError(`${path}: holds no text.`)
  const tokens = sampled === 0 ? characters : Math.round((characters * sampledTokens) / sampled)
  return { documents, characters, tokens, identifiers }
}

/** Kinds and places, never what stands there. */
export function describeIdentifiers(setting: string, identifiers: ReadonlyMap<IdentifierKind, string[]>): Finding[] {
  return [...identifiers].map(([kind, places]) => {
    const more = places.length > namedPlaces ? ` and ${formatCount(places.length - namedPlaces)} more` : ''
    const where = places.slice(0, namedPlaces).join('; ')
    return {
      severity: 'warning',
      subject: 'texts',
      message: `${setting}: likely personal: ${kind} in ${where}${more}. Remove it, or be sure that it may be learnt.`,
    }
  })
}

/** Tokens of one pass over the texts of each corpus. */
export async function* inspectAllTexts(
  { recipe, locate }: LoadedRecipe,
  work: string,
  tokenizer: Tokenizer | undefined,
): AsyncGenerator<Finding, { corpusTokens: number; foundationTokens: number } | undefined> {
  const totals = { corpusTokens: 0, foundationTokens: 0 }
  let isWhole = true
  for (const [total, keys, corpus] of [
    ['foundationTokens', ['foundation', 'corpus'], recipe.foundation?.corpus],
    ['corpusTokens', ['corpus'], recipe.corpus],
  ] as const) {
    const { texts = [] } = corpus ?? {}
    const counts: { tokens: number }[] = []
    for (const [i, { path, column }] of texts.entries()) {
      const at = [...keys, 'texts', i, 'path']
      const found = yield* attempt('texts', at, locate, () => inspectTexts(locatePath(path, work), column, tokenizer))
      if (found === undefined) {
        isWhole = false
        continue
      }
      counts.push(found)
      const amount = `${formatCount(found.documents)} documents, about ${formatCount(found.tokens)} tokens`
      yield { severity: 'good', subject: 'texts', message: `${at.join('.')}: ${amount}` }
      yield* describeIdentifiers(at.join('.'), found.identifiers)
    }
    if (counts.length < texts.length) continue
    const passes = countPasses(texts, counts)
    totals[total] = counts.reduce((sum, { tokens }, i) => sum + tokens * (passes[i] ?? 1), 0)
  }
  return isWhole ? totals : undefined
}

// Preference training: the pairs of one question as a tree, its prompt computed once and every distinct response hanging from it.
import { Random } from '../base/random.ts'
import { type Row, rowLength } from './batch.ts'

/** A preference pair: what is preferred after a prompt, and what is not. */
export interface Pair {
  id: string
  question: string
  promptTokens: readonly number[]
  chosenTokens: readonly number[]
  rejectedTokens: readonly number[]
}

/** A response of a tree: its predictions are row.predictions[from..to]. */
export interface Response {
  /** Same for the same response to the same prompt, wherever it stands. */
  key: string
  from: number
  to: number
}

/** Pairs of one prompt as one row; `pairs` point into `responses`. */
export interface PreferenceTree<P extends Pair = Pair> {
  row: Row
  responses: Response[]
  pairs: { pair: P; chosen: number; rejected: number }[]
}

/**
 * The pairs of one pass, by number, in an order fixed by seed and epoch: questions are shuffled, the pairs of one stay together.
 * @param questions each pair's question, these numbered in the order in which they first come.
 */
export function orderPairs(questions: Uint32Array, seed: number, epoch: number): Uint32Array {
  const counts: number[] = []
  for (const question of questions) counts[question] = (counts[question] ?? 0) + 1
  const places = new Uint32Array(counts.length)
  let place = 0
  for (const question of new Random(seed, 'pairs', epoch).order(counts.length)) {
    places[question] = place
    place += counts[question]!
  }
  const order = new Uint32Array(questions.length)
  for (const [pair, question] of questions.entries()) order[places[question]!++] = pair
  return order
}

/** What the same response to the same prompt is known by. */
export function responseKey(promptTokens: readonly number[], responseTokens: readonly number[]): string {
  return `${promptTokens.join(' ')}|${responseTokens.join(' ')}`
}

/**
 * Trees of the pairs, those of equal prompts together as long as the tree stays within `maxTokens`
 * (one pair alone may exceed it: pairs are not cut).
 */
export function growTrees<P extends Pair>(pairs: readonly P[], maxTokens: number): PreferenceTree<P>[] {
  const trees: PreferenceTree<P>[] = []
  const latest = new Map<string, PreferenceTree<P>>()
  for (const pair of pairs) {
    const prompt = pair.promptTokens.join(' ')
    let tree = latest.get(prompt)
    if (tree === undefined || rowLength(tree.row) + addedTokens(tree, pair) > maxTokens) {
      tree = {
        row: { segments: [{ tokens: pair.promptTokens.slice(0, -1), firstPosition: 0 }], predictions: [] },
        responses: [],
        pairs: [],
      }
      trees.push(tree)
      latest.set(prompt, tree)
    }
    const chosen = hang(tree, pair.promptTokens, pair.chosenTokens)
    const rejected = hang(tree, pair.promptTokens, pair.rejectedTokens)
    tree.pairs.push({ pair, chosen, rejected })
  }
  return trees
}

function addedTokens(tree: PreferenceTree, { promptTokens, chosenTokens, rejectedTokens }: Pair): number {
  return [chosenTokens, rejectedTokens].reduce((sum, response) => {
    const key = responseKey(promptTokens, response)
    return sum + (tree.responses.some((known) => known.key === key) ? 0 : response.length)
  }, 0)
}

/** Adds a response to a tree, or finds it there; returns its index. */
function hang(tree: PreferenceTree, promptTokens: readonly number[], response: readonly number[]): number {
  const key = responseKey(promptTokens, response)
  const known = tree.responses.findIndex((other) => other.key === key)
  if (known >= 0) return known
  const { row } = tree
  const start = rowLength(row)
  const from = row.predictions.length
  for (const [i, target] of response.entries()) row.predictions.push({ place: start + i, target })
  // The prompt's last token predicts the response's first, so each response has its own copy of it: no place predicts twice.
  const last = promptTokens.length - 1
  row.segments.push({ tokens: [promptTokens[last]!, ...response.slice(0, -1)], firstPosition: last, parent: 0 })
  tree.responses.push({ key, from, to: row.predictions.length })
  return tree.responses.length - 1
}

/**
 * Divides trees into micro-batches of at most `maxTokens` (rows x longest row) and into at least `parts` of them
 * where there are as many trees; trees of like length stand together.
 */
export function divideTrees<T extends PreferenceTree>(trees: readonly T[], maxTokens: number, parts: number): T[][] {
  const byLength = [...trees].sort((a, b) => rowLength(b.row) - rowLength(a.row))
  const batches: T[][] = []
  let most = 0
  for (const [done, tree] of byLength.entries()) {
    const current = batches.at(-1)
    const longest = current?.[0] === undefined ? 0 : rowLength(current[0].row)
    if (current === undefined || current.length === most || (current.length + 1) * longest > maxTokens) {
      most = Math.ceil((trees.length - done) / Math.max(1, parts - batches.length))
      batches.push([tree])
    } else {
      current.push(tree)
    }
  }
  return batches
}

// Documents that share a row, and pairs, as the lists that LLaMA-Factory trains on: ids, masks, positions, labels.
import type { Pair } from '../../training/preference-groups.ts'
import type { PlannedBatch } from '../training-data.ts'

/** A row: every list as long as the others of its sequence. */
export type Lists = Readonly<Record<string, readonly number[]>>
type PackedRow = PlannedBatch['rows'][number]

/** Labels of places without a loss. */
const ignored = -100
/** LLaMA-Factory pads batches to multiples of this, with the tokenizer's pad and without positions: rows are padded already. */
const rowMultiple = 8

export const packedColumns = ['input_ids', 'attention_mask', 'position_ids', 'labels']
export const pairColumns = ['chosen', 'rejected'].flatMap((side) =>
  ['input_ids', 'attention_mask', 'labels'].map((name) => `${side}_${name}`),
)
export const mediaColumns = ['images', 'videos', 'audios']

/**
 * Documents behind one another: attention_mask numbers them from 1 and positions restart at each, so that they stay apart.
 * Each ends with its last target as an input too, which predicts nothing: models shift labels by one place.
 */
export function packedRow({ segments, predictions }: PackedRow): Lists {
  const row = {
    input_ids: [] as number[],
    attention_mask: [] as number[],
    position_ids: [] as number[],
    labels: [] as number[],
  }
  let start = 0
  let next = 0
  for (const [number, { tokens }] of segments.entries()) {
    const targets = new Map<number, number>()
    for (; next < predictions.length && (predictions[next]?.place ?? 0) < start + tokens.length; next++) {
      const { place, target } = predictions[next] as { place: number; target: number }
      targets.set(place - start, target)
    }
    const closing = targets.get(tokens.length - 1)
    const ids = closing === undefined ? tokens : [...tokens, closing]
    for (const [i, id] of ids.entries()) {
      row.input_ids.push(id)
      row.attention_mask.push(number + 1)
      row.position_ids.push(i)
      row.labels.push(targets.get(i - 1) ?? ignored)
    }
    start += tokens.length
  }
  while (row.input_ids.length % rowMultiple !== 0) pad(row, 0)
  return row
}

/** A row that is seen and has no loss. */
export function emptyRow(): Lists {
  const row = {
    input_ids: [] as number[],
    attention_mask: [] as number[],
    position_ids: [] as number[],
    labels: [] as number[],
  }
  while (row.input_ids.length < rowMultiple) pad(row, 1, row.input_ids.length)
  return row
}

function pad(
  row: Record<'input_ids' | 'attention_mask' | 'position_ids' | 'labels', number[]>,
  document: number,
  position = 0,
): void {
  row.input_ids.push(0)
  row.attention_mask.push(document)
  row.position_ids.push(position)
  row.labels.push(ignored)
}

/** Both sides as long as the longer one, so that nothing is padded with a token that the model may not have. */
export function pairRow({ promptTokens, chosenTokens, rejectedTokens }: Pair): Lists {
  const longest = promptTokens.length + Math.max(chosenTokens.length, rejectedTokens.length)
  const length = Math.ceil(longest / rowMultiple) * rowMultiple
  const side = (name: 'chosen' | 'rejected', response: readonly number[]): Lists => {
    const ids = [...promptTokens, ...response]
    const fill = (value: number) => new Array<number>(length - ids.length).fill(value)
    return {
      [`${name}_input_ids`]: [...ids, ...fill(0)],
      [`${name}_attention_mask`]: [...ids.map(() => 1), ...fill(0)],
      [`${name}_labels`]: [...promptTokens.map(() => ignored), ...response, ...fill(ignored)],
    }
  }
  return { ...side('chosen', chosenTokens), ...side('rejected', rejectedTokens) }
}

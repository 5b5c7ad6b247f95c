import { expect, it } from 'vitest'
import { cutRows } from '../../../test/document-rows.ts'
import { joinRows } from '../../training/batch.ts'
import { packedRow, pairRow } from './row-lists.ts'

const document = (tokens: number[], lossFrom = 1, rowTokens = 100) =>
  cutRows({ id: 'd', tokens, lossFrom }, rowTokens).map(({ row }) => row)

it('puts documents behind one another, numbered, each from position 0, each end of sequence learnt', () => {
  const row = joinRows([...document([10, 11, 12, 1]), ...document([20, 21, 1], 2)])
  expect(packedRow(row)).toEqual({
    input_ids: [10, 11, 12, 1, 20, 21, 1, 0],
    attention_mask: [1, 1, 1, 1, 2, 2, 2, 0],
    position_ids: [0, 1, 2, 3, 0, 1, 2, 0],
    labels: [-100, 11, 12, 1, -100, -100, 1, -100],
  })
})

it('learns every token of a divided document once', () => {
  const tokens = Array.from({ length: 12 }, (_, i) => 10 + i)
  const labels = document(tokens, 1, 4).flatMap((row) => packedRow(row).labels?.filter((label) => label >= 0) ?? [])
  expect(labels).toEqual(tokens.slice(1))
})

it('makes both sides of a pair equally long, with a loss on the response alone', () => {
  const pair = {
    id: 'p',
    question: 'q',
    promptTokens: [5, 6],
    chosenTokens: [7, 1],
    rejectedTokens: [8, 9, 10, 11, 12, 13, 1],
  }
  expect(pairRow(pair)).toEqual({
    chosen_input_ids: [5, 6, 7, 1, ...new Array(12).fill(0)],
    chosen_attention_mask: [1, 1, 1, 1, ...new Array(12).fill(0)],
    chosen_labels: [-100, -100, 7, 1, ...new Array(12).fill(-100)],
    rejected_input_ids: [5, 6, 8, 9, 10, 11, 12, 13, 1, ...new Array(7).fill(0)],
    rejected_attention_mask: [...new Array(9).fill(1), ...new Array(7).fill(0)],
    rejected_labels: [-100, -100, 8, 9, 10, 11, 12, 13, 1, ...new Array(7).fill(-100)],
  })
})

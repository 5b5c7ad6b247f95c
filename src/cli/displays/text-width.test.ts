import { expect, test } from 'vitest'
import { table } from '../table.ts'
import { fitColumns, textColumns } from './text-width.ts'

test.each<[string, number, string]>([
  ['abc', 3, 'abc'],
  ['abcd', 3, 'ab…'],
  ['解説する', 8, '解説する'],
  ['解説する', 7, '解説す…'],
  ['解説する', 6, '解説…'],
  ['a\nb\tc', 9, 'a b c'],
  ['か\u3099き', 4, 'か\u3099き'],
])('%j in %d columns is %j', (text, columns, fitting) => {
  expect(fitColumns(text, columns)).toBe(fitting)
  expect(textColumns(fitting)).toBeLessThanOrEqual(columns)
})

test('a table keeps its columns straight with wide characters, numbers to the right', () => {
  expect(
    table(
      ['名', 'n'],
      [
        ['解説', '1,000'],
        ['a', '7'],
      ],
    ),
  ).toEqual(['名        n', '----  -----', '解説  1,000', 'a         7'])
})

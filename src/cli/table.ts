// Tables of plain text.
import { textColumns } from './displays/text-width.ts'

/** Lines of a table: every column as wide as its widest cell, numbers to the right. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = head.map((title, i) => Math.max(...[title, ...rows.map((row) => row[i] ?? '')].map(textColumns)))
  const numeric = head.map(
    (_, i) => rows.length > 0 && rows.every((row) => /^[-+]?[\d.,]*\d( |$)|^$/.test(row[i] ?? '')),
  )
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, i) => {
        const space = ' '.repeat((widths[i] ?? 0) - textColumns(cell))
        return numeric[i] ? space + cell : cell + space
      })
      .join('  ')
      .trimEnd()
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)]
}

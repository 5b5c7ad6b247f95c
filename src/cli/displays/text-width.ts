// How many columns a text takes on a terminal: East Asian wide characters take two.

/** Wide by Unicode's East Asian Width (W and F), as far as texts of this project go. */
const wide =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|[\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u

function characterColumns(character: string): number {
  if (/\p{M}/u.test(character)) return 0 // stands on the character before
  return wide.test(character) ? 2 : 1
}

/** The columns that a text without control characters takes. */
export function textColumns(text: string): number {
  let columns = 0
  for (const character of text) columns += characterColumns(character)
  return columns
}

/** The beginning of a text that fits into this many columns, with '…' where it was cut; control characters become spaces. */
export function fitColumns(text: string, columns: number): string {
  let used = 0
  let fitting = ''
  let cut = 0 // how much of `fitting` leaves room for '…'
  for (const character of text.replace(/\p{Cc}+/gu, ' ')) {
    used += characterColumns(character)
    if (used > columns) return `${fitting.slice(0, cut)}…`
    fitting += character
    if (used < columns) cut = fitting.length
  }
  return fitting
}

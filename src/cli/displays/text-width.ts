// How many columns a text takes on a terminal: East Asian wide characters take two.

/** Wide by Unicode's East Asian Width (W and F), as far as texts of this project go; combining marks take none. */
const wide =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|[\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u

/** The beginning of a text that fits into this many columns, with '…' where it was cut; control characters become spaces. */
export function fitColumns(text: string, columns: number): string {
  let used = 0
  let fitting = ''
  let cut = 0 // how much of `fitting` leaves room for '…'
  for (const character of text.replace(/\p{Cc}+/gu, ' ')) {
    used += /\p{M}/u.test(character) ? 0 : wide.test(character) ? 2 : 1
    if (used > columns) return `${fitting.slice(0, cut)}…`
    fitting += character
    if (used < columns) cut = fitting.length
  }
  return fitting
}

// Cleaning of texts: what no reader would miss, and nothing else.

/** What was changed in a text. */
export interface Cleaning {
  /** Characters composed (Unicode NFC). */
  composed: boolean
  /** Line ends of other systems made line feeds. */
  lineEnds: boolean
  /** Control characters and byte-order marks taken out. */
  controls: boolean
  /** Blanks at line ends, blank lines beyond two, blank lines at both ends taken out. */
  blanks: boolean
}

export const cleaningKinds = ['composed', 'lineEnds', 'controls', 'blanks'] as const satisfies (keyof Cleaning)[]

// Tabs and line feeds stay. U+FEFF within a text is a leftover byte-order mark.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const controls = /[\u0000-\u0008\u000B\u000C\u000E-\u001F\u007F-\u009F\uFEFF]/g

/** Cleans a text and says what was changed; a clean text comes back as it is. */
export function cleanText(text: string): { text: string; changed: Cleaning } {
  const composed = text.normalize('NFC')
  const lines = composed.replace(/\r\n?|\u2028|\u2029/g, '\n')
  const printable = lines.replace(controls, '')
  const trimmed = printable
    .replace(/[ \t\u3000]+$/gm, '')
    .replace(/\n{4,}/g, '\n\n\n')
    .replace(/^\n+|\n+$/g, '')
  return {
    text: trimmed,
    changed: {
      composed: composed !== text,
      lineEnds: lines !== composed,
      controls: printable !== lines,
      blanks: trimmed !== printable,
    },
  }
}

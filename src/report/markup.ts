// HTML as tagged templates: whatever is put into one is escaped, unless it is markup already.

/** A piece of finished HTML. */
export class Markup {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

type Part = Markup | string | number | false | null | undefined | readonly Part[]

/** html`<p>${text}</p>`: strings are escaped, lists joined, false, null and undefined left out. */
export function html(strings: TemplateStringsArray, ...parts: Part[]): Markup {
  let text = strings[0] as string
  parts.forEach((part, index) => {
    text += render(part) + strings[index + 1]
  })
  return new Markup(text)
}

function render(part: Part): string {
  if (part === false || part === null || part === undefined) return ''
  if (part instanceof Markup) return part.text
  if (typeof part === 'string') return escapeText(part)
  if (typeof part === 'number') return String(part)
  return part.map(render).join('')
}

const ESCAPES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

/** Text for an element or a quoted attribute. Control characters become their visible pictures (U+2400...), which HTML cannot hold. */
export function escapeText(text: string): string {
  return text
    .replace(/[&<>"']/g, (character) => ESCAPES[character] as string)
    .replace(CONTROLS, (character) => String.fromCharCode(0x2400 + character.charCodeAt(0)))
}

// All of U+0000 to U+001F but tab and line feed, by code point so that the source stays readable.
const CONTROLS = new RegExp(
  `[${String.fromCharCode(0)}-${String.fromCharCode(8)}${String.fromCharCode(11)}-${String.fromCharCode(31)}]`,
  'g',
)

/** The language attribute of a text that shows its language by its script: kana are Japanese. Voices and glyphs follow it. */
export function languageOf(text: string): Markup | false {
  return /[\u3041-\u30ff]/.test(text) && new Markup(' lang="ja"')
}

/** Longest run of characters that a narrow table cell can hold. */
const MAX_RUN = 10

/** A name that may break after its separators, and within long runs, where its column is narrow. */
export function breakable(name: string): Markup {
  const pieces = name.match(new RegExp(`[^-+_/. ]{0,${MAX_RUN - 1}}[-+_/. ]|[^-+_/. ]{1,${MAX_RUN}}`, 'gu')) ?? [name]
  return new Markup(pieces.map(escapeText).join('<wbr>'))
}

/** A name as part of an element's id: letters, digits and hyphens; others as their code, so that names stay distinct. */
export function anchor(...names: (string | number)[]): string {
  return names
    .map((name) => String(name).replace(/[^A-Za-z0-9]/gu, (character) => `_${character.codePointAt(0)!.toString(36)}`))
    .join('-')
}

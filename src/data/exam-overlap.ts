// Finds documents that hold parts of exam questions, so that no model reads what it is examined on.

/** What of an exam item is looked for. */
export interface ExamText {
  id: string
  question: string
  options: string[]
}

/** Questions of fewer characters, options included, are too general to be told from other texts. */
const shortestQuestion = 20

interface Window {
  item: string
  text: string
  start: number
}

/**
 * Finds runs of `characters` that a document shares with an exam item's question or options, blanks, punctuation and
 * differences of width left out; items shorter than that are looked for whole.
 */
export class ExamOverlap {
  /** Window length -> hash -> windows. */
  private readonly windows = new Map<number, Map<number, Window[]>>()

  constructor(items: readonly ExamText[], characters: number) {
    for (const { id, question, options } of items) {
      const lettered = options.map((option, i) => String.fromCharCode(97 + i) + option)
      for (const text of new Set([strip(question + options.join('')), strip(question + lettered.join(''))])) {
        if (text.length >= shortestQuestion) this.index(id, text, Math.min(characters, text.length))
      }
    }
  }

  private index(item: string, text: string, length: number): void {
    let byHash = this.windows.get(length)
    if (byHash === undefined) {
      byHash = new Map()
      this.windows.set(length, byHash)
    }
    const windows = byHash
    findWindow(text, length, (hash, start) => {
      const same = windows.get(hash)
      if (same === undefined) windows.set(hash, [{ item, text, start }])
      else same.push({ item, text, start })
      return undefined
    })
  }

  /** The id of an item that the document shares a run with, or undefined. */
  find(document: string): string | undefined {
    const text = strip(document)
    for (const [length, byHash] of this.windows) {
      const found = findWindow(text, length, (hash, start) =>
        byHash.get(hash)?.find((window) => sameRun(window.text, window.start, text, start, length)),
      )
      if (found !== undefined) return found.item
    }
    return undefined
  }
}

/** Letters and digits alone, in their usual width and lower case. */
function strip(text: string): string {
  return text
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[^\p{L}\p{M}\p{N}]/gu, '')
}

const base = 0x01000193

/** Goes through all windows with their rolling polynomial hash until something is found. */
function findWindow<T>(text: string, length: number, look: (hash: number, start: number) => T | undefined) {
  let leaving = 1
  for (let i = 1; i < length; i++) leaving = Math.imul(leaving, base)
  let hash = 0
  for (let end = 0; end < text.length; end++) {
    if (end >= length) hash = (hash - Math.imul(text.charCodeAt(end - length), leaving)) | 0
    hash = (Math.imul(hash, base) + text.charCodeAt(end)) | 0
    if (end + 1 < length) continue
    const found = look(hash, end + 1 - length)
    if (found !== undefined) return found
  }
  return undefined
}

function sameRun(a: string, startOfA: number, b: string, startOfB: number, length: number): boolean {
  return a.slice(startOfA, startOfA + length) === b.slice(startOfB, startOfB + length)
}

// What all prompts of an examination share, told once: worked examples before the question, the cue after it.

export interface FramedPrompts {
  /** Whole lines that open every prompt. */
  opening: string
  /** Whole lines, or the end of the last one, that close every prompt. */
  closing: string
  /** What stands between them, by item. */
  middles: Map<string, string>
}

/** Takes the shared lines off the prompts: opening + middle + closing is the prompt again. Fewer than two prompts share nothing. */
export function framePrompts(prompts: ReadonlyMap<string, string>): FramedPrompts {
  const texts = [...prompts.values()]
  const opening = texts.length < 2 ? '' : wholeLines(texts.reduce(sharedStart))
  const rests = texts.map((text) => text.slice(opening.length))
  const closing = texts.length < 2 ? '' : fromLineBreak(rests.reduce(sharedEnd))
  const middles = new Map(
    [...prompts.keys()].map((id, index) => [id, rests[index]!.slice(0, rests[index]!.length - closing.length)]),
  )
  return { opening, closing, middles }
}

function sharedStart(a: string, b: string): string {
  let length = 0
  while (length < a.length && length < b.length && a[length] === b[length]) length++
  return a.slice(0, length)
}

function sharedEnd(a: string, b: string): string {
  let length = 0
  while (length < a.length && length < b.length && a[a.length - 1 - length] === b[b.length - 1 - length]) length++
  return a.slice(a.length - length)
}

function wholeLines(text: string): string {
  return text.slice(0, text.lastIndexOf('\n') + 1)
}

function fromLineBreak(text: string): string {
  const start = text.indexOf('\n')
  return start === -1 ? '' : text.slice(start)
}

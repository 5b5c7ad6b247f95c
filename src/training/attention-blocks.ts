// What blocks of attention see: which keys are left out because no token of a block may see them.
import { blockTokens, countBlocks } from '../model/forward.ts'
import type { Row } from './batch.ts'

/** The keys of a block of attention: the first `far` of its rows, and the last `near` up to the block's own last token. */
export interface SeenKeys {
  /** Tokens of the block. */
  size: number
  far: number
  near: number
}

/** What each block of rows of so many tokens must see, so that every token sees what it may: all but the widest run that none may see. */
export function seenByBlocks(rows: readonly Row[], tokens: number): SeenKeys[] {
  return Array.from({ length: countBlocks(tokens) }, (_, block) => {
    const start = block * blockTokens
    const end = Math.min(start + blockTokens, tokens)
    const size = end - start
    if (block === 0) return { size, far: 0, near: size }
    const isSeen = new Uint8Array(end)
    for (const row of rows) markSeen(isSeen, row, start)
    const { from, to } = findWidestGap(isSeen)
    return { size, far: from, near: end - to }
  })
}

/** Marks what tokens from `start` on may see of a row; padding sees itself. */
function markSeen(isSeen: Uint8Array, { segments }: Row, start: number): void {
  const ranges: { from: number; to: number }[] = []
  let end = 0
  for (const { tokens, parent } of segments) {
    const from = end
    end += tokens.length
    ranges.push({ from, to: end })
    if (end <= start || from >= isSeen.length) continue
    isSeen.fill(1, from, end)
    for (let p = parent; p !== undefined; p = segments[p]?.parent) isSeen.fill(1, ranges[p]?.from, ranges[p]?.to)
  }
  isSeen.fill(1, Math.max(start, end))
}

function findWidestGap(isSeen: Uint8Array): { from: number; to: number } {
  let widest = { from: 0, to: 0 }
  for (let from = isSeen.indexOf(0); from >= 0; ) {
    const next = isSeen.indexOf(1, from)
    const to = next < 0 ? isSeen.length : next
    if (to - from > widest.to - widest.from) widest = { from, to }
    from = isSeen.indexOf(0, to)
  }
  return widest
}

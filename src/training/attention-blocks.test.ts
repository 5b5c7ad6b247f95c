// What blocks of attention leave out, on rows of several blocks.
import { expect, it } from 'vitest'
import { blockTokens } from '../model/forward.ts'
import { type SeenKeys, seenByBlocks } from './attention-blocks.ts'
import { type Batch, makeBatch, type Row, rowLength } from './batch.ts'

const segment = (length: number, parent?: number) => ({
  tokens: new Array<number>(length).fill(1),
  firstPosition: 0,
  ...(parent === undefined ? {} : { parent }),
})
const rowOf = (...segments: Row['segments']): Row => ({ segments, predictions: [] })
const see = (...rows: Row[]) => seenByBlocks(rows, Math.max(...rows.map(rowLength)))

/** The keys that tokens of the block see, by what is added to their scores. */
function findSeen({ rows, tokens, attentionBias }: Batch, block: number): Set<number> {
  const keys = new Set<number>()
  for (let row = 0; row < rows; row++) {
    for (let token = block * blockTokens; token < Math.min(tokens, (block + 1) * blockTokens); token++) {
      for (let key = 0; key < tokens; key++)
        if (attentionBias[(row * tokens + token) * tokens + key] === 0) keys.add(key)
    }
  }
  return keys
}

it('leaves out other responses to a shared prompt, and earlier documents', () => {
  const tree = rowOf(segment(300), segment(150, 0), segment(150, 0), segment(150, 0))
  expect(see(tree)).toEqual<SeenKeys[]>([
    { size: 256, far: 0, near: 256 },
    // From the prompt's own tokens on, all before a block is seen by one of its tokens.
    { size: 256, far: 0, near: 512 },
    { size: 238, far: 300, near: 300 },
  ])
  const documents = rowOf(segment(100), segment(300), segment(200))
  expect(see(documents).map(({ far, near }) => [far, near])).toEqual([
    [0, 256],
    [0, 412],
    [0, 200],
  ])
  // A document of several blocks sees all of itself; beside another row, what either sees.
  expect(see(rowOf(segment(600))).map(({ near }) => near)).toEqual([256, 512, 600])
  expect(see(documents, rowOf(segment(600))).map(({ near }) => near)).toEqual([256, 512, 600])
})

it.each([
  ['trees', [rowOf(segment(290), segment(120, 0), segment(130, 0), segment(200, 0)), rowOf(segment(40))]],
  ['documents', [rowOf(segment(90), segment(10), segment(400), segment(60), segment(170))]],
  ['trees behind one another', [rowOf(segment(200), segment(90, 0), segment(170), segment(90, 2), segment(130, 2))]],
])('leaves out a whole run of keys that no token of the block may see (%s)', (_, rows) => {
  const batch = makeBatch(rows)
  for (const [block, { size, far, near }] of batch.seen.entries()) {
    const end = block * blockTokens + size
    const seen = findSeen(batch, block)
    for (let key = far; key < end - near; key++) expect(seen.has(key)).toBe(false)
    // Its neighbours are seen.
    expect(seen.has(end - near)).toBe(true)
    if (far > 0) expect(seen.has(far - 1)).toBe(true)
  }
})

// Tokens chosen in the graph: exact places, the edges of the interval, frequencies, and the tests' interpreter.
import { expect, it } from 'vitest'
import { array64, interpret } from '../../test/graph-interpreter.ts'
import { Random } from '../base/random.ts'
import { draw, input, largest, pick } from '../graph/build.ts'
import { compile, type Executable, type Tensor } from './session.ts'

const rowsOf = (rows: readonly (readonly number[])[]): Tensor => ({
  shape: [rows.length, rows[0]!.length],
  data: Float32Array.from(rows.flat()),
})

async function openDraw(size: number): Promise<(rows: Tensor, shares: readonly number[]) => Promise<number[]>> {
  const executable: Executable = await compile(
    { tokens: draw(input('x', ['n', size]), input('shares', ['n'])) },
    { threads: 2 },
  )
  return async (x, shares) => {
    const fed = { shape: [shares.length], data: Float32Array.from(shares) }
    return [...(await executable.run({ x, shares: fed })).tokens!.data]
  }
}

it('takes the first of the largest, and the entry at a place', async () => {
  const x = input('x', ['n', 3])
  const outputs = { largest: largest(x), entries: pick(x, input('places', ['n'], 'int32')) }
  const executable = await compile(outputs, { threads: 1 })
  const places = { shape: [3], data: Int32Array.of(2, 0, 1) }
  const results = await executable.run({ x: rowsOf([[1, 3, 2], [2, 5, 5], [-1, -3, -2]]), places }) // biome-ignore format: rows
  expect([...results.largest!.data]).toEqual([1, 1, 0])
  expect([...results.entries!.data]).toEqual([2, 2, -3])
  await executable.release()
})

const probabilities = [0.05, 0.4, 0, 0.3, 0.15, 0.1]
it.each([
  [0, 0],
  [0.049, 0],
  [0.051, 1],
  [0.449, 1],
  [0.451, 3], // the entry without probability is passed over
  [0.899, 4],
  [0.901, 5],
  [1 - 2 ** -24, 5],
])('a share of %d falls on token %d', async (share, token) => {
  const drawFrom = await openDraw(6)
  expect(await drawFrom(rowsOf([probabilities]), [share])).toEqual([token])
})

it('never draws what has no probability, at either end or where a row falls short of 1', async () => {
  const drawFrom = await openDraw(6)
  const rows = rowsOf([[0, 0.5, 0.5, 0, 0, 0], [0, 0, 0, 0, 0.3, 0.3], [0, 0, 0.5, 0.499, 0, 0]]) // biome-ignore format: rows
  expect(await drawFrom(rows, [0, 0, 0])).toEqual([1, 4, 2])
  expect(await drawFrom(rows, new Array(3).fill(1 - 2 ** -24))).toEqual([2, 5, 3])
})

// Qwen2.5's vocabulary, and one that is prime: all its blocks hold one entry.
it.each([151_936, 1009])(
  'draws from %d tokens as the running sum in float64 says, and by their frequency',
  async (size) => {
    const random = new Random(4, String(size))
    const count = 64
    const weights = Array.from({ length: size }, () => random.uniform() ** 8)
    const total = weights.reduce((a, b) => a + b)
    const row = weights.map((weight) => weight / total)
    const shares = Array.from({ length: count }, () => Math.floor(random.uniform() * 2 ** 24) / 2 ** 24)
    const drawn = await (await openDraw(size))(rowsOf(new Array(count).fill(row)), shares)

    const graph = { tokens: draw(input('x', ['n', size]), input('shares', ['n'])) }
    const exact = interpret(graph, { x: array64([1, size], row), shares: array64([1], [shares[0]!]) })
    expect(Math.abs(drawn[0]! - exact.tokens!.data[0]!)).toBeLessThanOrEqual(1)
    let sum = 0
    const upTo = row.map((probability) => {
      sum += probability
      return sum
    })
    // Sums in float32 are off by less than 1e-5 of the whole.
    drawn.forEach((token, i) => {
      expect(upTo[token]!).toBeGreaterThan(shares[i]! - 1e-5)
      expect(token === 0 ? 0 : upTo[token - 1]!).toBeLessThan(shares[i]! + 1e-5)
    })
  },
)

it('a row has the same token alone and among others', async () => {
  const size = 4096
  const random = new Random(5)
  const rows = Array.from({ length: 33 }, () => Array.from({ length: size }, () => random.uniform() ** 4))
  const shares = rows.map(() => Math.floor(random.uniform() * 2 ** 24) / 2 ** 24)
  const drawFrom = await openDraw(size)
  const together = await drawFrom(rowsOf(rows), shares)
  for (const [i, row] of rows.entries()) expect(await drawFrom(rowsOf([row]), [shares[i]!])).toEqual([together[i]])
})

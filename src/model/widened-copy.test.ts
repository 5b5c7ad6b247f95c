// The float32 copy of large 16-bit weights: made once, made anew when the file changes, never for what is small or float32.
import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openWeights, readWeight } from '../formats/weights.ts'
import { measureWidened, widenWeights } from './widened-copy.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meikai-widened-'))
})
afterAll(() => rm(folder, { recursive: true }))

/** Writes a bfloat16 tensor of 1, 2, 1, 2, ... and a float32 one of zeros beside it, as one file. */
async function write16(path: string, weights: number): Promise<void> {
  const half = 2 * weights
  const header = JSON.stringify({
    a: { dtype: 'BF16', shape: [weights], data_offsets: [0, half] },
    b: { dtype: 'F32', shape: [1], data_offsets: [half, half + 4] },
  })
  const size = Buffer.alloc(8)
  size.writeBigUInt64LE(BigInt(header.length))
  const values = new Uint16Array(weights + 2)
  for (let i = 0; i < weights; i++) values[i] = i % 2 === 0 ? 0x3f80 : 0x4000
  await writeFile(
    join(path, 'model.safetensors'),
    Buffer.concat([size, Buffer.from(header), Buffer.from(values.buffer)]),
  )
}

it('widens once, and again when the file changes', async () => {
  const cache = join(folder, 'cache')
  await write16(folder, 1000)
  const weights = await openWeights(folder)
  const widen = () => widenWeights(weights, ['a'], cache, 100)
  expect(measureWidened(weights, ['a'], 100)).toBe(4000)
  const widened = await widen()
  expect([...widened.tensors.values()].map(({ name, dtype }) => [name, dtype])).toEqual([['a', 'F32']])
  const values = await readWeight(widened, 'a', [1000])
  expect(values).toEqual(await readWeight(weights, 'a', [1000]))
  expect([...values.slice(0, 3)]).toEqual([1, 2, 1])

  expect((await widen()).folder).toBe(widened.folder)
  expect(await readdir(join(cache, 'float32'))).toHaveLength(1)
  await utimes(join(folder, 'model.safetensors'), 1, 1)
  expect((await widen()).folder).not.toBe(widened.folder)
})

it('leaves float32 and small weights as they are', async () => {
  await write16(folder, 1000)
  const weights = await openWeights(folder)
  const cache = join(folder, 'never')
  expect([measureWidened(weights, ['a']), measureWidened(weights, ['b'], 1)]).toEqual([0, 0])
  expect(await widenWeights(weights, ['a'], cache)).toBe(weights)
  expect(await widenWeights(weights, ['b'], cache, 1)).toBe(weights)
  expect(await readdir(folder)).not.toContain('never')
})

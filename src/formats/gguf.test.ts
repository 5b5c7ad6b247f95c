// GGUF: what is written is read again; the bits of each encoding; damaged files refused.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Random } from '../base/random.ts'
import { encodeValues, flag, float32, type GgufMetadata, text, uint32 } from './gguf.ts'
import { openGguf, readGgufTensor } from './gguf-reader.ts'
import { writeGguf } from './gguf-writer.ts'
import { encodeFloat16, widenFloat16 } from './half-precision.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meikai-gguf-'))
})
afterAll(() => rm(folder, { recursive: true }))

const random = new Random(1, 'gguf')
const values = Float32Array.from({ length: 3 * 64 }, () => random.normal())
const metadata: GgufMetadata = new Map([
  ['general.architecture', text('llama')],
  ['a.count', uint32(7)],
  ['a.rate', float32(0.5)],
  ['a.flag', flag(true)],
  ['a.words', { type: 'array', of: 'string', values: ['い', '', 'c'] }],
  ['a.kinds', { type: 'array', of: 'int32', values: [1, -2] }],
  // Longer than the piece that is read first.
  ['a.long', { type: 'array', of: 'float32', values: Array.from({ length: 300_000 }, (_, i) => i) }],
])
const tensors = (['F32', 'BF16', 'Q8_0'] as const).map((encoding) => ({
  name: encoding,
  shape: [3, 64],
  encoding,
  read: () => values,
}))

it('reads again what it wrote', async () => {
  const file = join(folder, 'whole.gguf')
  await writeGguf(file, metadata, [
    ...tensors,
    { name: 'odd', shape: [5], encoding: 'F32', read: () => values.slice(0, 5) },
  ])
  const gguf = await openGguf(file)
  expect(Object.fromEntries(gguf.metadata)).toMatchObject({
    'general.architecture': 'llama',
    'a.count': 7,
    'a.rate': 0.5,
    'a.flag': true,
    'a.words': ['い', '', 'c'],
    'a.kinds': [1, -2],
  })
  expect(gguf.metadata.get('a.long')).toHaveLength(300_000)
  expect([...gguf.tensors.values()].map(({ shape }) => shape)).toEqual([[3, 64], [3, 64], [3, 64], [5]])
  const read = (name: string) => readGgufTensor(gguf, gguf.tensors.get(name)!)
  expect(await read('F32')).toEqual(values)
  expect(await read('odd')).toEqual(values.slice(0, 5))
  const worst = async (name: string) => Math.max(...(await read(name)).map((value, i) => Math.abs(value - values[i]!)))
  const largest = Math.max(...values.map(Math.abs))
  expect(await worst('BF16')).toBeLessThan(largest * 2 ** -8)
  expect(await worst('Q8_0')).toBeLessThan((largest / 127) * 0.51)
  expect(await worst('Q8_0')).toBeGreaterThan(0)
})

it.each([
  [1, 0x3f80],
  [-2, 0xc000],
  [1 + 2 ** -8, 0x3f80], // a tie goes to the even one
  [1 + 3 * 2 ** -8, 0x3f82],
  [1 + 2 ** -8 + 2 ** -20, 0x3f81],
])('encodes %d in bfloat16 as %i', (value, bits) => {
  expect(new Uint16Array(encodeValues('BF16', Float32Array.of(value)).buffer)[0]).toBe(bits)
})

it('encodes float16 so that it widens to the nearest', () => {
  for (const value of [
    0,
    2 ** -24,
    2 ** -25,
    3 * 2 ** -25,
    2 ** -14,
    1,
    1 + 2 ** -11,
    1 + 3 * 2 ** -11,
    0.1,
    65504,
    70000,
  ]) {
    const bits = encodeFloat16(value)
    const [below, at, above] = widenFloat16(Uint16Array.of(Math.max(0, bits - 1), bits, Math.min(bits + 1, 0x7c00)))
    if (value >= 65520) expect(at).toBe(Number.POSITIVE_INFINITY)
    else
      for (const other of [below!, above!]) expect(Math.abs(at! - value)).toBeLessThanOrEqual(Math.abs(other - value))
  }
  for (let bits = 0; bits < 0x7c00; bits += 7) expect(encodeFloat16(widenFloat16(Uint16Array.of(bits))[0]!)).toBe(bits)
})

it('encodes a block of Q8_0 as ggml does', () => {
  const block = Float32Array.from({ length: 32 }, (_, i) => (i === 0 ? -127 : i === 1 ? 2.5 : i === 2 ? -0.5 : 0))
  const bytes = encodeValues('Q8_0', block)
  expect([...new Int8Array(bytes.buffer).slice(2, 6)]).toEqual([-127, 3, -1, 0]) // halves away from zero
  expect(new DataView(bytes.buffer).getUint16(0, true)).toBe(encodeFloat16(1))
  expect(encodeValues('Q8_0', new Float32Array(32)).every((byte) => byte === 0)).toBe(true)
})

it('refuses what is no whole GGUF file', async () => {
  const file = join(folder, 'cut.gguf')
  await writeGguf(file, new Map([['general.architecture', text('llama')]]), tensors)
  const bytes = await readFile(file)
  const refusals: [Buffer, RegExp][] = [
    [bytes.subarray(0, 40), /its header ends early/],
    [bytes.subarray(0, -40), /tensor Q8_0 ends beyond the file/],
    [Buffer.concat([Buffer.from('GGML'), bytes.subarray(4)]), /does not begin with GGUF/],
  ]
  for (const [damaged, message] of refusals) {
    await writeFile(file, damaged)
    await expect(openGguf(file)).rejects.toThrow(message)
  }
})

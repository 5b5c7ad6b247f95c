// Safetensors: what is written is read back; widening from 16 bits; every lie of a header is caught.
import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { UserError } from '../base/errors.ts'
import { readJson, writeJson } from '../base/files.ts'
import { widenBfloat16, widenFloat16 } from './half-precision.ts'
import { readSafetensorsHeader, readTensor } from './safetensors.ts'
import { writeSafetensors } from './safetensors-writer.ts'
import { findWeight, hasWeights, openWeights, readWeight, writeWeights } from './weights.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meikai-safetensors-'))
})
afterAll(() => rm(folder, { recursive: true }))

const small = [
  { name: 'a', shape: [2, 3], read: () => new Float32Array([1, 2, 3, 4, 5, 6]) },
  { name: 'empty', shape: [0, 4], read: () => new Float32Array(0) },
  { name: 'b', shape: [1], read: async () => new Float32Array([-0.5]) },
]

/** A file with this header and so many bytes of data. */
async function craft(header: unknown, dataBytes: number, claimed?: number): Promise<string> {
  const text = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header))
  const start = Buffer.alloc(8)
  start.writeBigUInt64LE(BigInt(claimed ?? text.length))
  const file = join(folder, 'crafted.safetensors')
  await writeFile(file, Buffer.concat([start, text, Buffer.alloc(dataBytes)]))
  return file
}

describe('safetensors', () => {
  it('reads back what it wrote, data at an offset fit for mapping', async () => {
    const file = join(folder, 'small.safetensors')
    await writeSafetensors(file, small, { format: 'pt', note: '解' })
    const { tensors, metadata } = await readSafetensorsHeader(file)
    expect(metadata).toEqual({ format: 'pt', note: '解' })
    expect([...tensors.values()].map(({ name, shape, dtype }) => ({ name, shape, dtype }))).toEqual(
      small.map(({ name, shape }) => ({ name, shape, dtype: 'F32' })),
    )
    expect(tensors.get('a')?.offset).toSatisfy((offset: number) => offset % 64 === 0)
    for (const { name, read } of small) expect(await readTensor(tensors.get(name)!)).toEqual(await read())
  })

  it('leaves nothing behind when a tensor cannot be had', async () => {
    const failing = { name: 'c', shape: [1], read: () => Promise.reject(new Error('gone')) }
    await expect(writeSafetensors(join(folder, 'half.safetensors'), [...small, failing])).rejects.toThrow('gone')
    expect((await readdir(folder)).filter((name) => name.startsWith('half'))).toEqual([])
  })

  it('widens 16-bit floats exactly', () => {
    expect([...widenBfloat16(new Uint16Array([0x3f80, 0xc040, 0x0000, 0x7f80]))]).toEqual([1, -3, 0, Infinity])
    expect([...widenFloat16(new Uint16Array([0x3c00, 0xc200, 0x0001, 0x7bff, 0xfc00, 0x8000]))]).toEqual([
      1,
      -3,
      2 ** -24,
      65504,
      -Infinity,
      -0,
    ])
    expect(widenFloat16(new Uint16Array([0x7e00]))[0]).toBeNaN()
  })

  const one = (entry: object) => ({ a: { dtype: 'F32', shape: [2], data_offsets: [0, 8], ...entry } })
  it.each<[string, unknown, number, RegExp]>([
    ['no JSON', '{"a": ', 8, /header is not JSON/],
    ['a list', [1], 8, /not a JSON object/],
    ['an unknown type', one({ dtype: 'F99' }), 8, /unknown type "F99"/],
    ['a negative dimension', one({ shape: [-2] }), 8, /no valid shape/],
    ['a fraction as offset', one({ data_offsets: [0, 8.5] }), 8, /no valid data_offsets/],
    ['a shape that does not fill its bytes', one({ shape: [3] }), 8, /takes 12 bytes, its data_offsets hold 8/],
    ['truncated data', one({}), 7, /tensor a ends at byte 8 of its data, the file has 7/],
    ['bytes of no tensor', one({}), 9, /1 bytes after the last tensor/],
    ['a gap', { ...one({}), b: { dtype: 'U8', shape: [1], data_offsets: [9, 10] } }, 10, /b leaves a gap/],
    ['an overlap', { ...one({}), b: { dtype: 'U8', shape: [8], data_offsets: [4, 12] } }, 12, /b overlaps/],
    ['metadata that is no text', { __metadata__: { x: 1 } }, 0, /__metadata__/],
  ])('refuses %s', async (_name, header, dataBytes, message) => {
    const error = await readSafetensorsHeader(await craft(header, dataBytes)).catch((thrown) => thrown)
    expect(error).toBeInstanceOf(UserError)
    expect(error.message).toMatch(message)
    expect(error.message).toContain('crafted.safetensors')
  })

  it('refuses a header longer than its file, one beyond the limit, and a file of 3 bytes', async () => {
    await expect(readSafetensorsHeader(await craft('{}', 0, 5000))).rejects.toThrow('claims 5000 bytes')
    await expect(readSafetensorsHeader(await craft('{}', 0, 2 ** 40))).rejects.toThrow('more than the format allows')
    const file = await craft('{}', 0)
    await truncate(file, 3)
    await expect(readSafetensorsHeader(file)).rejects.toThrow('3 bytes, too few')
  })

  it.each([640, 0x4b50])('tells a header of %i bytes, which begins like a pickle, from one', async (headerBytes) => {
    const note = 'x'.repeat(headerBytes - '{"__metadata__":{"note":""}}'.length)
    const file = await craft({ __metadata__: { note } }, 0)
    expect((await readSafetensorsHeader(file)).metadata).toEqual({ note })
    const bytes = await readFile(file)
    bytes[8] = 0
    await writeFile(file, bytes)
    await expect(readSafetensorsHeader(file)).rejects.toThrow('a pickle file')
  })

  it('refuses to read integers as weights', async () => {
    const file = await craft({ ids: { dtype: 'I64', shape: [1], data_offsets: [0, 8] } }, 8)
    const { tensors } = await readSafetensorsHeader(file)
    await expect(readTensor(tensors.get('ids')!)).rejects.toThrow('stored as I64')
  })
})

describe('weights of a model folder', () => {
  it('writes and reads shards with their index', async () => {
    const sharded = join(folder, 'sharded')
    await writeWeights(sharded, small, 24)
    expect((await readdir(sharded)).sort()).toEqual([
      'model-00001-of-00002.safetensors',
      'model-00002-of-00002.safetensors',
      'model.safetensors.index.json',
    ])
    const weights = await openWeights(sharded)
    expect([...weights.tensors.keys()]).toEqual(['a', 'empty', 'b'])
    expect(await readWeight(weights, 'b', [1])).toEqual(new Float32Array([-0.5]))
    expect(await hasWeights(sharded)).toBe(true)
    expect(await hasWeights(folder)).toBe(false)
  })

  it('names a tensor that the index has and its shard has not', async () => {
    const sharded = join(folder, 'sharded')
    const file = join(sharded, 'model.safetensors.index.json')
    const index = (await readJson(file)) as { weight_map: object }
    await writeJson(file, { weight_map: { ...index.weight_map, ghost: 'model-00001-of-00002.safetensors' } })
    await expect(openWeights(sharded)).rejects.toThrow(/model-00001-of-00002.safetensors: tensor ghost is missing/)
  })

  it('reads float32, bfloat16 and float16 side by side, and names a tensor of a type that is no weight', async () => {
    const entry = (dtype: string, from: number, to: number) => ({ dtype, shape: [1], data_offsets: [from, to] })
    const mixed = { a: entry('F32', 0, 4), b: entry('BF16', 4, 6), c: entry('F16', 6, 8), d: entry('F8_E4M3', 8, 9) }
    const { tensors } = await readSafetensorsHeader(await craft(mixed, 9))
    for (const name of ['a', 'b', 'c']) expect(await readTensor(tensors.get(name)!)).toEqual(new Float32Array(1))
    await expect(readTensor(tensors.get('d')!)).rejects.toThrow('tensor d is stored as F8_E4M3')
  })

  it('names a missing tensor and a wrong shape', async () => {
    const single = join(folder, 'single')
    await writeWeights(single, small)
    const weights = await openWeights(single)
    expect(() => findWeight(weights, 'c', [1])).toThrow('tensor c [1] is missing')
    expect(() => findWeight(weights, 'a', [3, 2])).toThrow('tensor a is [2,3], config.json asks for [3,2]')
  })

  it.each([
    ['pytorch_model.bin', 'x', /pytorch_model\.bin: a pickle file/],
    ['model.safetensors', 'PK\x03\x04 more of a zip', /a pickle file/],
    ['config.json', '{}', /no weights/],
    ['model.safetensors.index.json', '{}', /no weight_map/],
    ['model.safetensors.index.json', '{"weight_map":{"a":"../../etc/x"}}', /not a plain file name/],
    [
      'model.safetensors.index.json',
      '{"weight_map":{"a":"absent.safetensors"}}',
      /the shard absent.safetensors is missing/,
    ],
  ])('refuses a folder with only %s (%#)', async (name, content, message) => {
    const other = await mkdtemp(join(folder, 'other-'))
    await writeFile(join(other, name), content)
    await expect(openWeights(other)).rejects.toThrow(message)
  })
})

// Merging takes the same memory whatever the model's size: measured on models of zeros that take no disk.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { mkdir, open, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { writeAdapter } from '../src/formats/adapter.ts'
import { readPieces } from '../src/formats/safetensors.ts'
import { openWeights } from '../src/formats/weights.ts'

const folder = mkdtempSync(join(tmpdir(), 'meikai-merge-memory-'))
afterAll(() => rmSync(folder, { recursive: true }))

const query = 'model.layers.0.self_attn.q_proj.weight'

/** A model in bf16 whose zeros are a hole in its file; largest are a table and one square linear layer. */
async function writeHollowModel(model: string, tableRows: number, width: number): Promise<number> {
  const tensors: Record<string, number[]> = { 'model.embed_tokens.weight': [tableRows, width], [query]: [width, width] }
  let offset = 0
  const entries = Object.entries(tensors).map(([name, shape]) => {
    const begin = offset
    offset += 2 * shape.reduce((a, b) => a * b)
    return [name, { dtype: 'BF16', shape, data_offsets: [begin, offset] }]
  })
  const text = Buffer.from(JSON.stringify(Object.fromEntries(entries)))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(text.length))
  await mkdir(model)
  await writeFile(join(model, 'config.json'), '{"torch_dtype": "bfloat16"}')
  const file = await open(join(model, 'model.safetensors'), 'w')
  await file.write(Buffer.concat([length, text]))
  await file.truncate(8 + text.length + offset)
  await file.close()
  return offset
}

/** Bytes of the model, and the peak of the process that merges an adapter of ones into it. */
async function measureMerge(name: string, tableRows: number, width: number) {
  const [model, adapter, merged] = ['model', 'adapter', 'merged'].map((part) => join(folder, `${name}-${part}`))
  const bytes = await writeHollowModel(model!, tableRows, width)
  await mkdir(adapter!)
  const config = { rank: 2, alpha: 4, targetModules: ['q_proj'], baseModel: '' }
  const ones = () => new Float32Array(2 * width).fill(1)
  await writeAdapter(adapter!, config, [{ weight: query, inputs: width, outputs: width, a: ones(), b: ones() }])
  const fixture = resolve(import.meta.dirname, 'merge-memory.fixture.ts')
  const args = ['--import', 'tsx', fixture, model!, adapter!, merged!]
  return { bytes, merged: merged!, peak: Number(execFileSync(process.execPath, args, { encoding: 'utf8' })) }
}

it.skipIf(!existsSync('/proc/self/status'))(
  'takes the memory of a few pieces of a tensor, and no more for tensors of a gigabyte',
  async () => {
    const small = await measureMerge('small', 1_000, 1024)
    const large = await measureMerge('large', 100_000, 6144)
    expect(large.bytes).toBeGreaterThan(1.2 * 2 ** 30)
    expect(large.peak).toBeLessThan(600 * 2 ** 20)
    // The large model is merged by three threads of some 70 MB each, the small one by the process itself.
    expect(large.peak - small.peak).toBeLessThan(300 * 2 ** 20)

    const { tensors } = await openWeights(large.merged)
    let values = 0
    for await (const piece of readPieces(tensors.get(query)!, 2 ** 22)) {
      expect(piece.every((value) => value === 4)).toBe(true) // 2 x (1 + 1)
      values += piece.length
    }
    expect(values).toBe(6144 ** 2)
  },
  120_000,
)

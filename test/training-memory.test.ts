// Training on a file that is far larger than the memory: both engines go through all of it.
import { spawnSync } from 'node:child_process'
import { createWriteStream, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { writeJson } from '../src/base/files.ts'
import { miniatureShape } from './small-model.ts'

const folder = mkdtempSync(join(tmpdir(), 'meikai-training-memory-'))
const file = join(folder, 'training.jsonl')
afterAll(() => rmSync(folder, { recursive: true }))

/** 16 million tokens: JavaScript's own lists of them take 128 MB. */
const documents = 4_000
const tokens = 4_000
const heapMegabytes = 80

beforeAll(async () => {
  const list = Array.from({ length: tokens }, (_, i) => 2 + (i % 1000)).join()
  function* lines() {
    for (let i = 0; i < documents; i++) yield `{"id":"d${i}","source":"s","tokens":[${list}],"lossFrom":1}\n`
  }
  await pipeline(Readable.from(lines()), createWriteStream(file))
  await writeJson(join(folder, 'config.json'), { ...miniatureShape, max_position_embeddings: 1024, eos_token_id: 1 })
})

function runWay(way: string) {
  const program = join(import.meta.dirname, 'training-memory.fixture.ts')
  const heap = `--max-old-space-size=${heapMegabytes}`
  const args = [heap, '--import', 'tsx', program, way, file, folder, join(folder, 'data')]
  return spawnSync(process.execPath, args, { encoding: 'utf8' })
}

it.each(['embedded', 'cluster'])(
  'the %s engine',
  (way) => {
    const { stdout, stderr } = runWay(way)
    expect(stderr).toBe('')
    expect(Number(stdout)).toBe(documents * (tokens - 1))
  },
  60_000,
)

it('what holds all of the file at once is killed by the same limit', () => {
  const { status, stderr } = runWay('all at once')
  expect(status).not.toBe(0)
  expect(stderr).toContain('heap')
}, 60_000)

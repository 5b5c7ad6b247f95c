// A corpus in threads, killed with SIGKILL at random moments and taken up again: the same bytes as never killed.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { hashFile, readJson, writeJson } from '../src/base/files.ts'
import { Random } from '../src/base/random.ts'
import type { SpoolNote } from '../src/data/corpus-spool.ts'
import { compileRepository } from './compiled.ts'

const files = ['training.jsonl', 'held-out.jsonl', 'general.jsonl', 'counts.json']
const kills = 6
const random = new Random(5, 'corpus-kill')

let folder: string
let child: string
let texts: string
let tokenizer: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meikai-corpus-kill-'))
  child = compileRepository(join(folder, 'program'))('test/corpus.fixture.ts')
  texts = join(folder, 'texts.jsonl')
  tokenizer = join(folder, 'tokenizer')
  await mkdir(tokenizer)
  const characters = Array.from({ length: 500 }, (_, i) => String.fromCharCode(0x4e00 + i))
  await writeJson(join(tokenizer, 'tokenizer.json'), {
    added_tokens: [{ id: 0, content: '<|end|>', special: true }],
    pre_tokenizer: { type: 'Split', pattern: { Regex: '[\\s\\S]' }, behavior: 'Isolated', invert: false },
    decoder: { type: 'Fuse' },
    model: {
      type: 'BPE',
      merges: [],
      vocab: Object.fromEntries(['<|end|>', ...characters].map((token, id) => [token, id])),
    },
  })
  await writeJson(join(tokenizer, 'tokenizer_config.json'), { eos_token: '<|end|>' })
  const lines: string[] = []
  // Above what is worth threads; every tenth text comes twice.
  for (let bytes = 0; bytes < 5_000_000; bytes += lines.at(-1)!.length * 3) {
    const text = Array.from({ length: 200 + random.integer(1000) }, () => random.pick(characters)).join('')
    lines.push(lines.length % 10 === 9 ? random.pick(lines) : JSON.stringify({ text }))
  }
  await writeFile(texts, lines.join('\n'))
})
afterAll(() => rm(folder, { recursive: true }))

/** Runs until `events` signs of progress and some milliseconds, or to the end; whether it came to the end. */
async function run(out: string, events = Number.POSITIVE_INFINITY, milliseconds = 0): Promise<boolean> {
  const running = spawn(process.execPath, [child, texts, out, tokenizer, '60000'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exit = once(running, 'exit')
  let told = 0
  for await (const _ of createInterface({ input: running.stdout })) {
    if (++told === events) setTimeout(() => running.kill('SIGKILL'), milliseconds)
  }
  const [status, signal] = await exit
  if (status !== 0 && signal !== 'SIGKILL') throw new Error(`the corpus ended with status ${status}`)
  return status === 0
}

const fingerprint = (out: string) => Promise.all(files.map((file) => hashFile(join(out, file))))

it('comes to the same bytes', { timeout: 240_000 }, async () => {
  const [whole, killed] = [join(folder, 'whole'), join(folder, 'killed')]
  expect(await run(whole)).toBe(true)
  let midway = 0
  for (let kill = 0; kill < kills; kill++) {
    await run(killed, 10 + random.integer(30), random.integer(60))
    const { sizes, finished } = (await readJson(join(killed, 'progress.json'))) as SpoolNote
    if (finished === undefined && Object.values(sizes).some((size) => size > 0)) midway++
  }
  expect(midway).toBeGreaterThan(0)
  expect(await run(killed)).toBe(true)
  expect(await fingerprint(killed)).toEqual(await fingerprint(whole))
})

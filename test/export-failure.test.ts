// What happened to a released model, replayed: chat markers that no text trained, adapters that do not train them, an export
// that sees it before it writes and shows it after. And the ways out: an end that was trained, a template without markers.
import { cp, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readJson, writeJson } from '../src/base/files.ts'
import type { ExportEvent } from '../src/export/export-model.ts'
import { checkModel } from '../src/export/release-checks.ts'
import { openGguf } from '../src/formats/gguf-reader.ts'
import { byteTokens } from './byte-model.ts'
import { trainAndExport, trainBase } from './digit-model.ts'

let folder: string
let base: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meikai-export-failure-'))
  base = await trainBase(folder)
}, 120_000)
afterAll(() => rm(folder, { recursive: true }))

const problems = (events: ExportEvent[]) =>
  events.flatMap((event) => (event.type === 'problem-found' ? event.name : []))
const examined = (events: ExportEvent[], through: 'prompt' | 'chat') =>
  events.flatMap((event) => (event.type === 'model-examined' && event.through === through ? event : []))

describe('a model whose turns end with a marker that no text trained', () => {
  let events: ExportEvent[]
  beforeAll(async () => {
    const form = { end: 'turnEnd', chat: true, template: 'own' } as const
    events = await trainAndExport(folder, base, 'marked', { ...form, anyway: true })
  }, 120_000)

  it('is seen before it is written', () => {
    expect(problems(events)).toEqual(['untrained-end-token', 'untrained-marker'])
    const [end] = events.filter((event) => event.type === 'problem-found')
    expect(end?.message).toMatch(
      /^<\|im_end\|> \(258\) ends an answer, but its row of the head cannot be told from \d{2,3} others/,
    )
    expect(end?.message).toContain('adapters on linear layers do not train it')
  })

  it('is not written unless told to', async () => {
    const form = { end: 'turnEnd', chat: true, template: 'own' } as const
    const refused = trainAndExport(folder, base, 'refused', form)
    await expect(refused).rejects.toThrow(/nothing was written.*\(untrained-end-token, above\).*--anyway/)
    expect((await readdir(folder)).filter((name) => name.startsWith('refused-export'))).toEqual([])
  }, 120_000)

  it('runs on when it is asked again, and card and export say so', async () => {
    const [chat] = examined(events, 'chat')
    expect(chat?.asked).toBe(10)
    expect(chat?.runOn).toBeGreaterThan(0)
    const card = await readFile(join(folder, 'marked-export', 'safetensors', 'README.md'), 'utf8')
    expect(card).toContain('untrained-end-token')
    expect(card).toMatch(
      new RegExp(`through its chat template: \\d+ answers differ from the run's, ${chat?.runOn} run on`),
    )
  })
})

describe('the same training, ended with the token that plain text ended with, and a template without markers', () => {
  let events: ExportEvent[]
  beforeAll(async () => {
    events = await trainAndExport(folder, base, 'plain', { end: 'endOfText', chat: false, template: 'plain' }, [
      'safetensors',
      'peft',
      'gguf-f32',
      'gguf-bf16',
      'gguf-q8_0',
    ])
  }, 240_000)

  it('has nothing to mend, gives the same answers in every form and never runs on', () => {
    expect(problems(events)).toEqual([])
    expect(examined(events, 'prompt').map(({ format }) => format)).toEqual([
      'safetensors',
      'peft',
      'gguf-f32',
      'gguf-bf16',
      'gguf-q8_0',
    ])
    for (const one of [...examined(events, 'prompt'), ...examined(events, 'chat')]) {
      expect(one).toMatchObject({ asked: 10, same: 10, runOn: 0, lost: [] })
    }
  })

  it('writes the template and every end token beside the weights, and into the GGUF file', async () => {
    const written = (...path: string[]) => join(folder, 'plain-export', ...path)
    expect(await readJson(written('safetensors', 'generation_config.json'))).toEqual({ eos_token_id: [256] })
    const { metadata } = await openGguf(written('gguf-q8_0', 'plain-q8_0.gguf'))
    expect(metadata.get('tokenizer.chat_template')).toBe(
      '{% for message in messages %}{{ message.content }}{% endfor %}',
    )
    expect(metadata.get('tokenizer.ggml.eos_token_id')).toBe(byteTokens.endOfText)
    expect(metadata.get('tokenizer.ggml.pre')).toBe('qwen2')
    expect(await readJson(written('peft', 'adapter_config.json'))).toMatchObject({ r: 8, lora_alpha: 8 })
  })

  it('says what a template with untrained markers would cost the same model', async () => {
    const own = await trainAndExport(folder, base, 'kept', { end: 'endOfText', chat: false, template: 'own' })
    expect(problems(own)).toEqual(['untrained-marker', 'untrained-marker'])
    expect(examined(own, 'prompt')).toMatchObject([{ same: 10, runOn: 0 }])
    expect(examined(own, 'chat')[0]?.lost.length).toBeGreaterThan(0)
  })
})

it('says that an end which is padding too was masked out of the loss', async () => {
  const start = join(folder, 'masked')
  await cp(base, start, { recursive: true })
  const path = join(start, 'tokenizer_config.json')
  await writeJson(path, { ...((await readJson(path)) as object), pad_token: '<|endoftext|>' })
  const found = await checkModel(start, { trainsRows: true, endTargets: 0 })
  expect(found.find(({ name }) => name === 'end-not-learnt')?.message).toMatch(
    /padding and end in one.*masked out of the loss/,
  )
  expect((await checkModel(start, { trainsRows: true, endTargets: 5 })).map(({ name }) => name)).not.toContain(
    'end-not-learnt',
  )
})

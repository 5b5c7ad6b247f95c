// Reading files: JSON Lines and text, plain or gzip; what is wrong is said with file and line.
import { mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadJsonLines, readJsonLines, readText, writeError, writeFileAtomic, writeFolderAtomic } from './files.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'files-'))
})
afterAll(() => rm(folder, { recursive: true }))

async function write(name: string, data: string | Uint8Array): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, data)
  return path
}

describe('JSON Lines', () => {
  it.each([
    ['plain', '{"a":1}\n{"a":"二"}\n'],
    ['without a last line feed', '{"a":1}\n{"a":"二"}'],
    ['with Windows line ends and blank lines', '{"a":1}\r\n\r\n{"a":"二"}\r\n'],
    ['with a byte-order mark', '\u{FEFF}{"a":1}\n{"a":"二"}\n'],
  ])('%s', async (name, text) => {
    expect(await loadJsonLines(await write(`${name}.jsonl`, text))).toEqual([{ a: 1 }, { a: '二' }])
    expect(await loadJsonLines(await write(`${name}.jsonl.gz`, gzipSync(text)))).toEqual([{ a: 1 }, { a: '二' }])
  })

  it('reads lines longer than a piece of the file', async () => {
    const long = '長'.repeat(100_000)
    const path = await write('long.jsonl', `${JSON.stringify({ long })}\n${JSON.stringify({ long })}\n`)
    expect(await loadJsonLines(path)).toEqual([{ long }, { long }])
  })

  it('gives line numbers, and stops early without trouble', async () => {
    const path = await write('early.jsonl', '\n{"a":1}\n{"broken')
    for await (const { value, line } of readJsonLines(path)) {
      expect([value, line]).toEqual([{ a: 1 }, 2])
      break
    }
  })

  it.each([
    ['half.jsonl', '{"a":1}\n{"a":', ':2: not valid JSON'],
    ['latin.jsonl', Buffer.from('{"a":1}\n{"a":"\xe9"}\n', 'latin1'), ':2: not UTF-8 text'],
    ['cut.jsonl.gz', gzipSync('{"a":1}\n'.repeat(1000)).subarray(0, 40), ': damaged or not gzip'],
    ['plain.jsonl.gz', '{"a":1}\n', ': damaged or not gzip'],
  ])('%s', async (name, data, message) => {
    const path = await write(name, data)
    await expect(loadJsonLines(path)).rejects.toThrow(`${path}${message}`)
  })

  it('names what cannot be read', async () => {
    await expect(loadJsonLines('/nowhere/a.jsonl')).rejects.toThrow('/nowhere/a.jsonl: no such file')
    await expect(loadJsonLines('/nowhere/a.jsonl.gz')).rejects.toThrow('/nowhere/a.jsonl.gz: no such file')
    await expect(loadJsonLines(folder)).rejects.toThrow('is a folder')
    const file = await write('file', '')
    await expect(loadJsonLines(join(file, 'a'))).rejects.toThrow(`${file}/a: cannot be read (ENOTDIR`)
    await symlink('circle', join(folder, 'circle'))
    await expect(readText(join(folder, 'circle'))).rejects.toThrow(`${folder}/circle: cannot be read (ELOOP`)
  })
})

it('names what cannot be written, and why', async () => {
  const file = await write('no-folder', '')
  await expect(writeFileAtomic(join(file, 'a'), '')).rejects.toThrow(`${file}/a: cannot be written (EEXIST`)
  const refusal = (code: string) => Object.assign(new Error(code), { code, syscall: 'write' })
  expect(writeError('a', refusal('ENOSPC'))).toMatchObject({ message: expect.stringMatching(/^a: the disk is full/) })
  expect(writeError('a', refusal('EDQUOT'))).toMatchObject({ message: expect.stringMatching(/^a: your share of the/) })
  const bug = new TypeError('ours')
  expect(writeError('a', bug)).toBe(bug)
})

it('reads text, and names the line of a byte that is not UTF-8', async () => {
  expect(await readText(await write('a.txt.gz', gzipSync('\u{FEFF}あ\n')))).toBe('あ\n')
  const path = await write('sjis.txt', Buffer.from([0x61, 10, 0x88, 0xc0, 10]))
  await expect(readText(path)).rejects.toThrow(`${path}: not UTF-8 text (first bad byte in line 2)`)
})

it('leaves nothing half-written', async () => {
  const place = join(folder, 'atomic')
  await writeFileAtomic(join(place, 'a.txt'), 'whole')
  const failing = writeFolderAtomic(join(place, 'b'), async () => {
    throw new Error('broke off')
  })
  await expect(failing).rejects.toThrow('broke off')
  expect(await readdir(place)).toEqual(['a.txt'])
})

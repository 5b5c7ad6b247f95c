// An examination of an endpoint killed without warning: run again, it asks for nothing whose answer was kept.
import { spawn } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { loadJsonLines, writeJsonLines } from '../src/base/files.ts'
import type { GradedAnswer } from '../src/exam/records.ts'
import { FakeServer } from '../src/sampler/server/fake-server.fixture.ts'

const folder = await mkdtemp(join(tmpdir(), 'exam-kill-'))
afterAll(() => rm(folder, { recursive: true }))

const CONCURRENCY = 4
const count = 60
const letters = ['a', 'b', 'c', 'd', 'e']
await writeJsonLines(
  join(folder, 'items.jsonl'),
  Array.from({ length: count }, (_, i) => ({
    id: `q${i}`,
    question: `${i}番の病気に効く薬はどれか。`,
    options: letters.map((letter) => `薬${letter}${i}`),
    gold: [[letters[i % 5]]],
  })),
)
await writeFile(
  join(folder, 'exam.yaml'),
  'name: drugs\ntitle: Drugs\nlayout: items\ndata: items.jsonl\nlicence: CC0-1.0\n',
)

const numberOf = (prompt: string) => Number(/(\d+)番の病気/.exec(prompt)?.[1])
const start = () =>
  FakeServer.start({
    latencyMilliseconds: 40,
    contextTokens: 1e6,
    write: (prompt) => `答え：${letters[numberOf(prompt) % 5]}`,
  })

const out = join(folder, 'out')
function examine(server: FakeServer) {
  const main = join(import.meta.dirname, '../src/cli/main.ts')
  const line = `exam --exam ${join(folder, 'exam.yaml')} --endpoint ${server.url} --model m --out ${out} --concurrency ${CONCURRENCY}`
  const child = spawn(process.execPath, ['--import', 'tsx', main, ...line.split(' ')], {
    stdio: ['ignore', 'ignore', 'pipe'],
    cwd: join(import.meta.dirname, '..'),
  })
  let complained = ''
  child.stderr.on('data', (text) => {
    complained += text
  })
  const ended = new Promise<number | NodeJS.Signals | null>((resolve) =>
    child.on('close', (status, signal) => resolve(signal ?? status)),
  )
  return { child, ended, complained: () => complained }
}

const questionsOf = (server: FakeServer) =>
  server.bodies.map(({ messages = [] }) => {
    const text = messages.map(({ content }) => content).join('\n')
    return `${text.includes('まず解説') ? 'explain' : 'answer'} q${numberOf(text)}`
  })
const keptAnswers = async () =>
  (await readFile(join(out, 'written.jsonl'), 'utf8'))
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as GradedAnswer)
    .map(({ way, id }) => `${way} ${id}`)

it('killed twice in mid-flight, it asks each question once, but those whose answers were under way', async () => {
  const asked: string[] = []
  const kept: string[] = []
  for (const calls of [35, 40]) {
    const server = await start()
    const { child, ended, complained } = examine(server)
    while (server.calls < calls && child.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 2))
    child.kill('SIGKILL')
    expect(await ended, complained()).toBe('SIGKILL')
    const questions = questionsOf(server)
    expect(questions.filter((question) => kept.includes(question))).toEqual([])
    asked.push(...questions)
    kept.splice(0, kept.length, ...(await keptAnswers()))
    await server.close()
    expect(await readdir(out)).not.toContain('answers.jsonl')
  }
  // Nothing was lost but what was under way at the two kills: calls that had not been answered, and answers that waited to
  // be written, of which there are never more than four a place.
  expect(kept.length).toBeGreaterThan(0)
  expect(asked.length - kept.length).toBeLessThanOrEqual(2 * (1 + 4) * CONCURRENCY)

  const server = await start()
  const { ended, complained } = examine(server)
  expect(await ended, complained()).toBe(0)
  const questions = questionsOf(server)
  await server.close()
  expect(questions).toHaveLength(2 * count - kept.length)
  expect(questions.filter((question) => kept.includes(question))).toEqual([])
  const answers = await loadJsonLines<GradedAnswer>(join(out, 'answers.jsonl'))
  expect(answers).toHaveLength(2 * count)
  expect(answers.every(({ correct }) => correct)).toBe(true)
})

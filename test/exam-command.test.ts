// meikai exam against a server on loopback: both ways, votes, ranking, an estimate, a resumed examination, and what goes wrong.
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { loadJsonLines, writeJsonLines } from '../src/base/files.ts'
import { runCommandLine } from '../src/cli/dispatch.ts'
import type { PromptRecord } from '../src/exam/prompts.ts'
import type { RankedAnswer } from '../src/exam/ranking.ts'
import type { GradedAnswer } from '../src/exam/records.ts'
import { FakeServer, type FakeServerOptions } from '../src/sampler/server/fake-server.fixture.ts'

const letters = ['a', 'b', 'c', 'd', 'e']
const items = Array.from({ length: 20 }, (_, i) => ({
  id: `q${i}`,
  question: `${i}番の病気に効く薬はどれか。`,
  options: letters.map((letter) => `薬${letter}${i}`),
  gold: [[letters[i % 5]]],
  points: 1,
  year: i < 16 ? '2021' : '2020',
  explanation: `薬${letters[i % 5]}${i}が効く。`,
}))

let folder: string
let server: FakeServer | undefined
let printed: string
let complained: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'exam-command-'))
  await writeJsonLines(join(folder, 'items.jsonl'), items)
  await writeFile(
    join(folder, 'exam.yaml'),
    'name: drugs\ntitle: Drugs\nlayout: items\ndata: items.jsonl\nlicence: CC0-1.0\n',
  )
  printed = ''
  complained = ''
  vi.spyOn(console, 'log').mockImplementation((text) => {
    printed += `${text}\n`
  })
  vi.spyOn(console, 'error').mockImplementation((text) => {
    complained += `${text}\n`
  })
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    complained += text
    return true
  })
})
afterEach(async () => {
  vi.restoreAllMocks()
  await server?.close()
  server = undefined
  await rm(folder, { recursive: true })
})

/** Right at once but for every fourth question; explaining, right but for every second. */
const write: FakeServerOptions['write'] = (prompt) => {
  const number = Number(/(\d+)番の病気(?![\s\S]*番の病気)/.exec(prompt)?.[1])
  const right = letters[number % 5]
  const explains = prompt.includes('まず解説') || prompt.endsWith('解説：')
  if (explains) return `考えました。\n答え：${number % 2 === 0 ? right : letters[(number + 1) % 5]}`
  return `答え：${number % 4 !== 0 ? right : letters[(number + 1) % 5]}`
}

async function exam(line: string, options: FakeServerOptions = {}): Promise<number> {
  await server?.close()
  server = await FakeServer.start({ write, contextTokens: 1e6, ...options })
  const given = line.replaceAll('OUT', join(folder, 'out'))
  const endpoint = `--exam ${join(folder, 'exam.yaml')} --endpoint ${server.url} --model served`
  return runCommandLine(['exam', ...endpoint.split(' '), ...given.split(' ')])
}
const inOut = (name: string) => join(folder, 'out', name)

describe('an examination of an endpoint', () => {
  it('asks both ways, writes prompts and graded answers, and scores each way by year', async () => {
    expect(await exam('--out OUT --json')).toBe(0)
    const result = JSON.parse(printed)
    expect(result.systems.map(({ name }: { name: string }) => name)).toEqual(['served answer', 'served explain'])
    expect(result.systems[0].years['2021']).toMatchObject({ points: 12, possible: 16, correct: 12, items: 16 })
    expect(result.systems[1].years['2020']).toMatchObject({ correct: 2, items: 4 })
    expect(result.systems[0].classes.answered).toBe(20)
    expect(result.hosts).toEqual([new URL(server!.url).host])
    expect(result.comparisons).toHaveLength(1)

    const answers = await loadJsonLines<GradedAnswer>(inOut('answers.jsonl'))
    expect(answers.map(({ id, way }) => `${way} ${id}`)).toEqual(
      ['answer', 'explain'].flatMap((way) => items.map(({ id }) => `${way} ${id}`)),
    )
    const prompts = await loadJsonLines<PromptRecord>(inOut('prompts.jsonl'))
    expect(prompts).toHaveLength(40)
    expect(prompts[0]!.prompt).toMatchObject([{ role: 'system' }, { role: 'user' }])
    expect(server!.bodies[0]!.messages).toEqual(prompts[0]!.prompt)
    expect(await readFile(inOut('report.html'), 'utf8')).toContain('20番の病気'.replace('20', '19'))

    printed = ''
    expect(
      await runCommandLine([
        'score',
        '--exam',
        join(folder, 'exam.yaml'),
        '--answers',
        inOut('answers.jsonl'),
        '--json',
      ]),
    ).toBe(0)
    expect(JSON.parse(printed).systems.map(({ years }: { years: object }) => years)).toEqual(
      result.systems.map(({ years }: { years: object }) => years),
    )
  })

  it('gives the results without items found in texts too', async () => {
    await writeJsonLines(join(folder, 'overlap.jsonl'), [
      { document: 'web.jsonl:3', item: 'q4', kind: 'run', characters: 44, span: [0, 60] },
    ])
    expect(await exam(`--out OUT --overlap ${join(folder, 'overlap.jsonl')} --top-p 0.9 --temperature 1`)).toBe(0)
    expect(printed).toMatch(
      /^With and without the items found in texts\n.*\n.*\nserved answer +15\/20 +75\.0 % +15\/19/m,
    )
    expect(server!.bodies[0]).toMatchObject({ temperature: 1, top_p: 0.9 })
    expect(await readFile(inOut('report.html'), 'utf8')).toMatch(
      /1 of the \d+ items \([\d.]+ %\) were found in the texts/,
    )
  })

  it('prints a table of at most 100 columns', async () => {
    expect(await exam('--out OUT')).toBe(0)
    expect(printed).toContain('served answer')
    expect(Math.max(...printed.split('\n').map((line) => line.length))).toBeLessThanOrEqual(100)
    expect(complained).toMatch(/40 calls, about .* tokens to read, at most .* to write/)
  })

  it('goes on after a failure without asking again what was answered, and ends the same', async () => {
    expect(await exam('--out OUT --json --concurrency 1')).toBe(0)
    const whole = { printed: JSON.parse(printed).systems, answers: await readFile(inOut('answers.jsonl'), 'utf8') }
    await rm(join(folder, 'out'), { recursive: true })

    const dies = (call: number) =>
      call >= 23 ? ({ kind: 'status', status: 401, body: 'no more' } as const) : undefined
    expect(await exam('--out OUT --json --concurrency 1', { fault: dies })).toBe(1)
    expect(complained).toContain('no more')
    expect(await readdir(join(folder, 'out'))).not.toContain('answers.jsonl')
    printed = ''
    expect(await exam('--out OUT --json --concurrency 1')).toBe(0)
    expect(server!.calls).toBe(40 - 23)
    expect(JSON.parse(printed).systems).toEqual(whole.printed)
    expect(await readFile(inOut('answers.jsonl'), 'utf8')).toBe(whole.answers)
    expect(await exam('--out OUT --json')).toBe(0)
    expect(server!.calls).toBe(0)
  })

  it('puts several answers to the vote', async () => {
    let calls = 0
    // Two of three are right, whatever the order.
    const voting = (prompt: string) => (calls++ % 3 === 0 ? '答え：e' : write!(prompt, 0, 'm'))
    expect(await exam('--out OUT --ways answer --samples 3 --concurrency 1', { write: voting })).toBe(0)
    const answers = await loadJsonLines<GradedAnswer>(inOut('answers.jsonl'))
    expect(server!.calls).toBe(60)
    expect(answers.filter(({ correct }) => correct)).toHaveLength(15)
    expect(answers[1]!.votes).toEqual({ e: 1, b: 2 })
  })

  it('ranks the options of a base model, in a file of its own', async () => {
    expect(await exam('--out OUT --ways rank --api completions --dialect vllm')).toBe(0)
    const ranked = await loadJsonLines<RankedAnswer>(inOut('ranked.jsonl'))
    expect(ranked).toHaveLength(20)
    expect(ranked[0]!.weights).toHaveLength(5)
    expect(ranked.every(({ answer }) => answer?.length === 1)).toBe(true)
    expect(await readdir(join(folder, 'out'))).not.toContain('answers.jsonl')
    expect(printed).toContain('served rank')
    // The prompt alone, then with each option.
    expect(server!.calls).toBe(20 * 6)
  })

  it.each([
    ['ja', /^問題：17番.*答え：c\n\n問題：0番/s, '答え：'],
    ['en', /^Question: 17番.*Answer: c\n\nQuestion: 0番/s, 'Answer:'],
  ])('continues raw prompts with worked examples of %s', async (template, start, end) => {
    const years = '--years 2021 --shots 1 --examples EX'.replace('EX', join(folder, 'examples.jsonl'))
    await writeJsonLines(join(folder, 'examples.jsonl'), [items[17]])
    const line = `--out OUT --api completions --ways answer,explain --template ${template} ${years}`
    expect(await exam(line)).toBe(0)
    const prompts = await loadJsonLines<PromptRecord>(inOut('prompts.jsonl'))
    expect(prompts).toHaveLength(32)
    expect(prompts[0]!.prompt).toMatch(start)
    expect(String(prompts[0]!.prompt).endsWith(end)).toBe(true)
    expect(prompts[16]!.prompt).toContain('薬c17が効く。')
  })

  it('takes worked examples from the years that are not asked, as turns, fixed or seeded', async () => {
    const examplesOf = async (more: string) => {
      expect(await exam(`--out OUT${more.length} --years 2021 --ways explain --shots 2 ${more}`.trim())).toBe(0)
      const [first] = await loadJsonLines<PromptRecord>(join(folder, `out${more.length}`, 'prompts.jsonl'))
      const turns = first!.prompt as { role: string; content: string }[]
      expect(turns.map(({ role }) => role)).toEqual(['system', 'user', 'assistant', 'user', 'assistant', 'user'])
      return turns.slice(1, -1).map(({ content }) => /\d+/.exec(content)![0])
    }
    expect(await examplesOf('')).toEqual(['16', '16', '17', '17'])
    const seeded = new Set([...(await examplesOf('--seed 1')), ...(await examplesOf('--seed 12'))])
    expect([...seeded].every((number) => Number(number) >= 16)).toBe(true)
    expect(seeded.size).toBeGreaterThan(2)
  })

  it('says beforehand what it takes', async () => {
    expect(await exam('--dry-run --json --price-in 3 --price-out 15')).toBe(0)
    const estimate = JSON.parse(printed)
    expect(estimate).toMatchObject({ type: 'estimate', calls: 40, newTokens: 20 * 64 + 20 * 1024 })
    expect(estimate.price).toBeCloseTo((3 * estimate.promptTokens + 15 * estimate.newTokens) / 1e6)
    expect(server!.calls).toBe(0)
  })
})

describe('what goes wrong', () => {
  it('another examination in the same folder', async () => {
    expect(await exam('--out OUT --ways answer')).toBe(0)
    expect(await exam('--out OUT --ways answer --temperature 0.5')).toBe(1)
    expect(complained).toMatch(/holds another examination \(other temperature\)/)
  })

  it.each([
    ['--ways answer', 2, /--out/],
    ['--out OUT --ways answer,guess', 2, /--ways guess: must be of answer, explain, rank/],
    ['--out OUT --ways answer,answer', 2, /stands twice/],
    ['--out OUT --samples 3 --temperature 0', 2, /temperature 0/],
    ['--out OUT --samples none', 2, /--samples none: must be a whole number/],
    ['--out OUT --top-p 2', 2, /--top-p 2: must be above 0/],
    ['--out OUT --adapter here', 2, /--adapter: is for a local model/],
    ['--out OUT --template nowhere', 1, /no template nowhere.*ja-chat/],
    ['--out OUT --shots 2', 1, /only 0 worked examples/],
    ['--out OUT --years 1999', 1, /no year 1999/],
    ['--out OUT --api completions --template ja-chat', 1, /conversations.*chat/],
    ['--out OUT --ways rank', 1, /weigh.*vllm/],
    ['--out OUT --key-variable NOT_THERE', 1, /NOT_THERE is not set/],
  ])('%s', async (line, status, message) => {
    expect(await exam(line)).toBe(status)
    expect(complained).toMatch(message)
  })

  it('examples that are asked too', async () => {
    expect(await exam(`--out OUT --shots 1 --examples ${join(folder, 'items.jsonl')}`)).toBe(1)
    expect(complained).toContain('q0 is asked too')
  })
})

// meikai judge from answers to agreement, with a judge behind an endpoint; what is judged is not asked again.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { runCommandLine } from '../src/cli/dispatch.ts'
import { FakeServer } from '../src/sampler/server/fake-server.fixture.ts'
import { writeSmallModel } from './small-model.ts'

let folder: string
let server: FakeServer
const path = (name: string) => join(folder, name)
const lines = (records: unknown[]) => records.map((record) => JSON.stringify(record)).join('\n')
const options = ['大動脈解離', '気胸']

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meikai-judge-'))
  server = await FakeServer.start({
    // Sound where the explanation speaks of the aorta.
    write: (prompt) => `理由。\n判定：${/【解説】[^【]*大動脈解離/.test(prompt) ? '妥当' : '不当'}`,
  })
  const ids = Array.from({ length: 20 }, (_, i) => `q${i}`)
  await writeFile(path('items.jsonl'), lines(ids.map((id) => ({ id, question: 'どれか。', options, gold: [['a']] }))))
  await writeFile(path('exam.yaml'), 'name: small\ntitle: Small\nlayout: items\ndata: items.jsonl\nlicence: CC0\n')
  const outputs = ids.map((id, i) => ({
    id,
    output: `${options[i % 2]}を考える。\n答え：${i < 16 ? 'ab'[i % 2] : 'a'}`,
  }))
  await writeFile(path('explained.jsonl'), lines(outputs))
  const time = '2026-05-01T10:00:00+09:00'
  const verdict = (i: number) => (i % 2 === 0 && i !== 0 ? 'accept' : 'reject')
  await writeFile(path('verdicts.jsonl'), lines(ids.map((pair, i) => ({ pair, verdict: verdict(i), by: 'A', time }))))
})
afterAll(async () => {
  await server.close()
  await rm(folder, { recursive: true, force: true })
})

it('takes a model of a local folder, keeps what it wrote, and says that nothing could be read', async () => {
  await writeSmallModel(path('model'), { max_position_embeddings: 2048 })
  const log = vi.spyOn(console, 'log').mockImplementation(() => {})
  try {
    const line = ['judge', '--exam', path('exam.yaml'), '--answers', path('explained.jsonl')]
    const local = [...line, '--model', path('model'), '--out', path('local.jsonl')]
    expect(await runCommandLine([...local, '--json'])).toBe(0)
    const result = { explanations: 20, judged: 0, unread: 20, sound: 0 }
    expect(JSON.parse(log.mock.calls.at(-1)![0] as string)).toMatchObject(result)
    const written = await readFile(path('local.jsonl'), 'utf8')
    expect(written.trim().split('\n')).toHaveLength(20)
    expect(await runCommandLine(local)).toBe(0)
    expect(log.mock.calls.at(-2)![0]).toContain('no verdict that could be read')
    expect(await readFile(path('local.jsonl'), 'utf8')).toBe(written)
  } finally {
    log.mockRestore()
  }
})

async function judge(): Promise<unknown> {
  const log = vi.spyOn(console, 'log').mockImplementation(() => {})
  try {
    const status = await runCommandLine([
      ...['judge', '--exam', path('exam.yaml'), '--answers', path('explained.jsonl'), '--out', path('judged.jsonl')],
      ...['--endpoint', server.url, '--model', 'judge', '--verdicts', path('verdicts.jsonl'), '--json'],
    ])
    expect(status).toBe(0)
    return JSON.parse(log.mock.calls.at(-1)![0] as string)
  } finally {
    log.mockRestore()
  }
}

it('counts sound explanations and takes kappa with people and with the rule', async () => {
  const result = await judge()
  expect(result).toMatchObject({
    explanations: 20,
    judged: 20,
    unread: 0,
    sound: 10,
    // People reject the first of the ten: 9 yes-yes, 1 yes-no, 10 no-no.
    judgeAndPeople: {
      table: [
        [9, 1],
        [0, 10],
      ],
      items: 20,
      agreement: { observed: 0.95, kappa: expect.closeTo(0.9, 12) },
    },
    // The answer follows but in the two of the last four that speak of 気胸.
    judgeAndRule: {
      table: [
        [10, 0],
        [8, 2],
      ],
    },
  })
  expect((await readFile(path('judged.jsonl'), 'utf8')).trim().split('\n')).toHaveLength(20)
  const { calls } = server
  expect(await judge()).toEqual(result)
  expect(server.calls).toBe(calls)
})

// The usual shapes of question sets through the command line: shown as what they are, and scored by right answers alone.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it, vi } from 'vitest'
import { runCommandLine } from '../src/cli/dispatch.ts'

const folder = await mkdtemp(join(tmpdir(), 'exam-shapes-'))
afterAll(() => rm(folder, { recursive: true }))

async function run(...line: string[]) {
  const log = vi.spyOn(console, 'log').mockImplementation(() => {})
  try {
    expect(await runCommandLine([...line, '--json'])).toBe(0)
    return JSON.parse(log.mock.calls.at(-1)![0] as string)
  } finally {
    log.mockRestore()
  }
}

const lines = (...rows: object[]) => rows.map((row) => JSON.stringify(row)).join('\n')
const question = '最も考えられるのはどれか。'
const many = Array.from({ length: 10 }, (_, i) => `物${i}`)

// Three rows by pyarrow, snappy: problem_id, question, options and answer (lists of text), points, has_image.
const parquet = Buffer.from(
  'UEFSMRUAFTAVMiwVBhUAFQYVBhwAAAAYFAIAAAAGAQEGNG0xAgAAAG0yAgAAAG0zFQAViAEVdiwVBhUAFQYVBhwAAABEWAIAAAAGAQwAAADjganjgozjgYvjgIIZOhAAdDLjgaTpgbjjgbnjgIINAAAA5L2VIG1MIOOBi+OAghUAFXwVbiwVEBUAFQYVBhwAAAA+GAIAAAADbgMBBgT/PwEHCOiGtQUHBIKdBQcEg4YFBwSEswEHQOOBhAMAAADjgo0DAAAA44GvFQAVRBVELBUIFQAVBhUGHAAAACIUAgAAAAMEAQYYCAMBAAAAYgEFMGEBAAAAYwMAAAA2MDAVABU8FTosFQYVABUGFQYcAAAAHhwCAAAABgEBAAkBPAMAAAAAAAAAAQAAAAAAAAAVABUOFRIsFQYVABUGFQYcAAAABxgCAAAABgECFQQZvDUAGAZzY2hlbWEVDAAVDCUCGApwcm9ibGVtX2lkJQBMHAAAABUMJQIYCHF1ZXN0aW9uJQBMHAAAADUCGAdvcHRpb25zFQIVBkw8AAAANQQYBGxpc3QVAgAVDCUCGAdlbGVtZW50JQBMHAAAADUCGAZhbnN3ZXIVAhUGTDwAAAA1BBgEbGlzdBUCABUMJQIYB2VsZW1lbnQlAEwcAAAAFQQlAhgGcG9pbnRzABUAJQIYCWhhc19pbWFnZQAWBhkcGWwmABwVDBklBgAZGApwcm9ibGVtX2lkFQIWBhZWFlgmCEkcFQAVABUCADwWDBkGGSYABgAAACYAHBUMGSUGABkYCHF1ZXN0aW9uFQIWBhawARaeASZgSRwVABUAFQIAPBZkGQYZJgAGAAAAJgAcFQwZJQYAGTgHb3B0aW9ucwRsaXN0B2VsZW1lbnQVAhYQFqIBFpQBJv4BSRwVABUAFQIAPBYqGSYGChlGAgAADgAAACYAHBUMGSUGABk4BmFuc3dlcgRsaXN0B2VsZW1lbnQVAhYIFmoWaiaSA0kcFQAVABUCADwWDBkmBgIZRgAAAAgAAAAmABwVBBklBgAZGAZwb2ludHMVAhYGFmIWYCb8A0kcFQAVABUCADwpBhkmAAYAAAAmABwVABklBgAZGAloYXNfaW1hZ2UVAhYGFjQWOCbcBEkcFQAVABUCADwpBhkmAAYAAAAWqAUWBiYIFowFACggcGFycXVldC1jcHAtYXJyb3cgdmVyc2lvbiAyNi4wLjEZbBwAABwAABwAABwAABwAABwAAABdAgAAUEFSMQ==',
  'base64',
)

type Shape = [what: string, file: string, data: string | Buffer, exam: string, right: string[], counts: object]
const shapes: Shape[] = [
  [
    'JMMLU: no head line, four options, a letter',
    'clinical.csv',
    'どれか、選べ。,膵, 肝,"胆, 嚢",脳,B\n"二つの\n行",い,ろ,は,に,D\n',
    'jmmlu',
    ['B', '答えはDです。'],
    { items: 2, points: 2 },
  ],
  [
    'MedQA: a map of options, the letter and its text',
    'medqa.jsonl',
    lines({
      question,
      options: { A: '膵', B: '肝', C: '胆', D: '脳' },
      answer: '肝',
      answer_idx: 'B',
      meta_info: 'step1',
    }),
    'general',
    ['(B) 肝'],
    { items: 1 },
  ],
  [
    'MedMCQA: a column an option, numbers from 0',
    'medmcqa.jsonl',
    lines(
      { id: 'x', question, opa: '膵', opb: '肝', opc: '胆', opd: '脳', cop: 0, exp: 'なぜなら', subject_name: '外科' },
      { id: 'y', question, opa: 'い', opb: 'ろ', opc: 'は', opd: 'に', cop: 3 },
    ),
    'general',
    ['a', '正解は d です'],
    { items: 2 },
  ],
  [
    'pharmacists: numbers from 1, several of six, a figure, no right one',
    'yaku.jsonl',
    lines(
      { problem_id: '1', problem_text: question, choices: many.slice(0, 6), answer: ['2'], text_only: true },
      { problem_id: '2', problem_text: question, choices: many.slice(0, 6), answer: [1, 6], text_only: false },
      { problem_id: '3', problem_text: question, choices: many.slice(0, 6), answer: ['解なし'], text_only: true },
    ),
    'general',
    ['b', 'a、f', 'e'],
    { items: 3, severalAnswers: 1, withFigure: 1, anyAnswer: 1 },
  ],
  [
    'ten options with letters of their own',
    'ten.jsonl',
    lines({ question, choices: many.map((text, i) => `${'ABCDEFGHIJ'[i]}. ${text}`), answer: 'J' }),
    'general',
    ['答え：J'],
    { items: 1 },
  ],
  [
    'options inside the text, alternatives, a number, no points',
    'inside.tsv',
    'id\tquestion\tanswer\tpoints\n' +
      'q1\tどれか。2つ選べ。 a. 膵 b. 肝 c. 胆\tac\t3\nq2\tどれか。 a. 膵 b. 肝 c. 胆\ta or c\t1\nq3\t何 mL か。\t600\t0\n',
    'general',
    ['ａ、ｃ', 'c', '約600 mL'],
    { items: 3, points: 4, severalAnswers: 1, alternatives: 1, numeric: 1, zeroPoints: 1 },
  ],
  [
    'Parquet: lists of options and answers, a number, a figure',
    'set.parquet',
    parquet,
    'general',
    ['b', 'aとc', '600'],
    { items: 3, points: 5, severalAnswers: 1, numeric: 1, withFigure: 1 },
  ],
]

it.each(shapes)('%s', async (_, file, data, exam, right, counts) => {
  const path = join(folder, file)
  await writeFile(path, data)
  const shown = await run('exam', 'show', exam, '--data', path)
  const [count] = Object.values(shown.counts)
  const none = { severalAnswers: 0, numeric: 0, alternatives: 0, zeroPoints: 0, withFigure: 0, anyAnswer: 0 }
  expect(count).toMatchObject({ ...none, ...counts })

  const { openExam } = await import('../src/exam/exam.ts')
  const { items } = await openExam(exam, { data: path })
  const answers = join(folder, 'answers.jsonl')
  await writeFile(answers, lines(...items.map(({ id }, i) => ({ id, output: right[i] }))))
  const { systems } = await run('score', '--exam', exam, '--data', path, '--answers', answers)
  expect(systems[0]).toMatchObject({ correct: items.length, items: items.length, missing: [] })
  expect(systems[0].total.points).toBe(systems[0].total.possible)

  await writeFile(answers, lines(...items.map(({ id }) => ({ id, output: '分かりません' }))))
  const wrong = await run('score', '--exam', exam, '--data', path, '--answers', answers)
  expect(wrong.systems[0].correct).toBe(0)
})

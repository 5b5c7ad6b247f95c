import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { printAnswered, printAnswerLine, printPrompt, printPrompts } from './prompts.ts'
import { readAnswer } from './reader.ts'
import type { AnswerForm, ExamItem } from './records.ts'
import { defaultTemplate, stopStrings } from './template.ts'
import { loadTemplate } from './template-file.ts'

const item: ExamItem = {
  id: 'q',
  question: 'アラの原因はどれか。',
  options: ['カン', 'ソー', 'ムル'],
  gold: [['b']],
  points: 1,
  explanation: 'アラの原因はソーである。',
}
const shot: ExamItem = { ...item, id: 's', question: 'どれか。2つ選べ。', gold: [['a', 'c']] }
const options = (form: AnswerForm, shots: ExamItem[] = []) => ({ form, template: defaultTemplate(form), shots })

test('an option text is answered at once', () => {
  expect(printAnswered(item, 'answer', options('option-text'))).toMatchInlineSnapshot(`
    {
      "completion": "ソー",
      "prompt": "問：アラの原因はどれか。
    a：カン
    b：ソー
    c：ムル
    答え：",
    }
  `)
})

test('a letter is explained first, after a worked example', () => {
  const { prompt, completion } = printAnswered(item, 'explain', options('letter', [shot]))
  expect(`${prompt}|${completion}|`).toMatchInlineSnapshot(`
    "問題：どれか。2つ選べ。
    a. カン
    b. ソー
    c. ムル
    解説：アラの原因はソーである。
    答え：a,c

    問題：アラの原因はどれか。
    a. カン
    b. ソー
    c. ムル
    解説：|アラの原因はソーである。
    答え：b|"
  `)
})

test('a gold answer without explanation, and an item without options', () => {
  expect(printAnswerLine(item, options('letter'))).toBe('\n答え：b')
  const number = { ...item, options: [], gold: [['2.1']] }
  expect(printPrompt(number, 'answer', options('letter'))).toBe('問題：アラの原因はどれか。\n答え：')
  expect(printAnswered(number, 'answer', options('option-text')).completion).toBe('2.1')
})

test.each(['letter', 'option-text'] as const)('what is printed as right is read as right (%s)', (form) => {
  for (const one of [item, shot, { ...item, options: [], gold: [['7.20']] }]) {
    for (const way of ['answer', 'explain'] as const) {
      const { completion } = printAnswered(one, way, options(form))
      const read = readAnswer(completion, one, { form, way, finishReason: 'end', answerCue: '答え：' })
      expect([read.answer, read.class]).toEqual([one.gold[0], 'answered'])
    }
    const read = readAnswer(printAnswerLine(one, options(form)), one, {
      form,
      way: 'explain',
      finishReason: 'end',
      answerCue: '答え：',
    })
    expect(read.answer).toEqual(one.gold[0])
  }
})

test('all prompts, way by way; a worked example without explanation is refused', () => {
  const records = printPrompts([item, shot], ['answer', 'explain'], options('letter'))
  expect(records.map(({ id, way }) => `${id} ${way}`)).toEqual(['q answer', 's answer', 'q explain', 's explain'])
  const { explanation: _, ...bare } = shot
  expect(printPrompt(item, 'answer', options('letter', [bare]))).toContain('答え：a,c')
  expect(() => printPrompt(item, 'explain', options('letter', [bare]))).toThrow('exam item s: a worked example')
})

test('a prompt with examples is stopped where the next item would begin', () => {
  expect(stopStrings(defaultTemplate('letter'), 3)).toEqual(['\n問題：'])
  expect(stopStrings(defaultTemplate('letter'), 0)).toEqual([])
  expect(stopStrings({ ...defaultTemplate('letter'), item: '{question}\n{options}' }, 3)).toEqual([])
})

test('braces in a question stay as they are', () => {
  const prompt = printPrompt({ ...item, question: '{options}$&は{x}か。' }, 'answer', options('letter'))
  expect(prompt.startsWith('問題：{options}$&は{x}か。\na. カン\n')).toBe(true)
})

const folder = await mkdtemp(join(tmpdir(), 'meikai-template-'))
afterAll(() => rm(folder, { recursive: true }))

test('a template file replaces what it names', async () => {
  const path = join(folder, 'template.yaml')
  await writeFile(
    path,
    'opening: "Answer the questions.\\n\\n"\nitem: "Question: {question}\\n{options}"\nanswerCue: "Answer: "\n',
  )
  const template = await loadTemplate(path, 'letter')
  const prompt = printPrompt(item, 'answer', { form: 'letter', template, shots: [] })
  expect(prompt).toBe('Answer the questions.\n\nQuestion: アラの原因はどれか。\na. カン\nb. ソー\nc. ムル\nAnswer: ')
})

test.each([
  ['item: "{question}"', ':1: item: must contain {question} and {options}.'],
  ['opening: ""\nanswerCue: " "', ':2: answerCue: must not be empty.'],
  ['answercue: "A:"', 'Did you mean answerCue?'],
])('a template file with %j is refused', async (text, message) => {
  const path = join(folder, 'wrong.yaml')
  await writeFile(path, text)
  await expect(loadTemplate(path, 'letter')).rejects.toMatchObject({
    name: 'UserError',
    message: expect.stringContaining(message),
  })
})

import { describe, expect, test } from 'vitest'
import type { ExamItem } from '../exam/records.ts'
import { defaultTemplate } from '../exam/template.ts'
import { holdOutQuestions, PairMaker, type PairOptions, pairRow, type ResponseTokenizer } from './pairs.ts'
import type { SampledExplanation } from './records.ts'
import { gradeSample } from './samples.ts'

const END = 0
/** One token a character; 0 ends a text. */
const tokenizer: ResponseTokenizer = {
  endToken: END,
  endTokens: [END],
  encode: (text) => [...text].map((character) => character.codePointAt(0)!),
  encodeContinuation: (text) => [...text].map((character) => character.codePointAt(0)!),
}

const item = (id: string, explanation: string | undefined = '説く。'): ExamItem => ({
  id,
  question: 'どれか。',
  options: ['い', 'ろ'],
  gold: [['b']],
  points: 1,
  ...(explanation !== '' && { explanation }),
})

const options: PairOptions = {
  form: 'letter',
  template: defaultTemplate('letter'),
  shots: [],
  tokenizer,
  round: 1,
  pairsPerQuestion: 10,
  maxTokens: 1000,
  goldAsWinner: false,
  unreadableAsLoser: true,
  truncatedAsLoser: false,
  whenNoWinner: 'drop',
}

/** Samples of a question: 'b.' right, 'a.' wrong, '?.' unreadable; without the point they did not end. */
function samplesOf(question: string, ...texts: string[]): SampledExplanation[] {
  return texts.map((written, sample) => {
    const ended = written.endsWith('.')
    const body = written.replace(/\.$/, '')
    const text = body.includes('?') ? body : `${body.slice(1)}\n答え：${body[0]}`
    const tokens = [...tokenizer.encodeContinuation(text), ...(ended ? [END] : [])]
    const finishReason = ended ? 'end' : 'length'
    const made = { sample, text, tokens, logProbabilities: tokens.map(() => -1), finishReason } as const
    return gradeSample(made, item(question), 1, options)
  })
}

function make(samples: SampledExplanation[], more: Partial<PairOptions> = {}, items = [item('q')]) {
  const maker = new PairMaker(items, { ...options, ...more })
  const questions = [...new Set(samples.map(({ question }) => question))]
  const ofQuestion = (id: string) => samples.filter(({ question }) => question === id)
  const pairs = questions.flatMap((id) => maker.pair(id, ofQuestion(id)))
  return { pairs, counts: maker.finish() }
}
const sides = (made: ReturnType<typeof make>) =>
  made.pairs.map(({ chosen, rejected }) => `${chosen.split('\n')[0]}>${rejected.split('\n')[0]}`)

test('samples are read and graded', () => {
  expect(
    samplesOf('q', 'b一.', 'a二.', '?.', 'b三').map(({ id, answer, correct }) => ({ id, answer, correct })),
  ).toEqual([
    { id: 'q/1/0', answer: ['b'], correct: true },
    { id: 'q/1/1', answer: ['a'], correct: false },
    { id: 'q/1/2', answer: null, correct: false },
    { id: 'q/1/3', answer: ['b'], correct: true },
  ])
})

test('a pair holds the sampled tokens as they are, ready for training', () => {
  const samples = samplesOf('q', 'a一.', 'b二.')
  const { pairs, counts } = make(samples)
  const prompt = '問題：どれか。\na. い\nb. ろ\n解説：'
  expect(pairs).toEqual([
    {
      id: 'q/1/0',
      question: 'q',
      round: 1,
      prompt,
      chosen: '二\n答え：b',
      rejected: '一\n答え：a',
      chosenFrom: 'sample',
      rejectedReason: 'wrong',
      promptTokens: tokenizer.encode(prompt),
      chosenTokens: samples[1]!.tokens,
      rejectedTokens: samples[0]!.tokens,
    },
  ])
  expect(pairs[0]!.chosenTokens.at(-1)).toBe(END)
  expect(counts).toMatchObject({ samples: 2, right: 1, wrong: 1, questions: 1, questionsPaired: 1, pairs: 1 })
  expect(Object.keys(pairRow(pairs[0]!)).sort()).toEqual([
    'chosenTokens',
    'id',
    'promptTokens',
    'question',
    'rejectedTokens',
  ])
})

describe('winners and losers are walked in step, each begun again at its end', () => {
  test.each([
    [10, ['b1.', 'a8.', 'a9.', 'a7.'], ['1>8', '1>9', '1>7']],
    [2, ['b1.', 'a8.', 'a9.', 'a7.'], ['1>8', '1>9']],
    [10, ['b1.', 'b2.', 'b3.', 'a8.', 'a9.'], ['1>8', '2>9', '3>8', '1>9', '2>8', '3>9']],
    // When both lists end together the losers are moved on by one: no combination comes twice.
    [10, ['b1.', 'b2.', 'a8.', 'a9.'], ['1>8', '2>9', '1>9', '2>8']],
    [3, ['b1.', 'b2.', 'a8.', 'a9.'], ['1>8', '2>9', '1>9']],
  ])('at most %d of %j', (pairsPerQuestion, texts, expected) => {
    expect(sides(make(samplesOf('q', ...texts), { pairsPerQuestion }))).toEqual(expected)
  })

  test('every combination once, whatever the numbers', () => {
    for (let winners = 1; winners <= 6; winners++) {
      for (let losers = 1; losers <= 6; losers++) {
        const texts = [
          ...Array.from({ length: winners }, (_, i) => `b${i}.`),
          ...Array.from({ length: losers }, (_, i) => `a${i}.`),
        ]
        const made = sides(make(samplesOf('q', ...texts), { pairsPerQuestion: 100 }))
        expect(new Set(made).size).toBe(winners * losers)
        expect(made).toHaveLength(winners * losers)
      }
    }
  })
})

describe('what becomes of samples', () => {
  const samples = samplesOf('q', 'b1.', 'b1.', 'b2', 'a8.', 'a8.', '?9.', 'a7')

  test('duplicates, right ones without an end, unreadable and truncated ones are counted', () => {
    const { pairs, counts } = make(samples)
    expect(pairs.map(({ rejectedReason }) => rejectedReason)).toEqual(['wrong', 'unreadable'])
    expect(counts).toMatchObject({ samples: 7, right: 2, rightWithoutEnd: 1, wrong: 2, unreadable: 1, truncated: 1 })
    expect(counts).toMatchObject({ duplicates: 2, pairs: 2 })
  })

  test.each([
    [{ unreadableAsLoser: false }, ['wrong']],
    [{ truncatedAsLoser: true }, ['wrong', 'unreadable', 'truncated']],
    [{ unreadableAsLoser: false, truncatedAsLoser: true }, ['wrong', 'truncated']],
  ])('%j', (more, reasons) => {
    expect(make(samples, more).pairs.map(({ rejectedReason }) => rejectedReason)).toEqual(reasons)
  })

  test('a truncated loser has no end token', () => {
    const { pairs } = make(samples, { truncatedAsLoser: true })
    expect(pairs.map(({ rejectedTokens }) => rejectedTokens.at(-1) === END)).toEqual([true, true, false])
  })

  test('over-long responses are left out, never cut', () => {
    const long = samplesOf('q', 'b1.', 'b2222222222.', 'a8.', 'a9999999999.')
    const fits = tokenizer.encode('問題：どれか。\na. い\nb. ろ\n解説：').length + '1\n答え：b'.length + 1
    const { pairs, counts } = make(long, { maxTokens: fits })
    expect(pairs.map(({ chosen, rejected }) => `${chosen[0]}${rejected[0]}`)).toEqual(['18'])
    expect(counts).toMatchObject({ overLong: 2, pairs: 1 })
    const many = make([...long, ...samplesOf('p', 'b3333333333.', 'a1.')], { maxTokens: fits }, [item('q'), item('p')])
    expect(many.counts).toMatchObject({ questions: 2, questionsPaired: 1, questionsOverLong: 1, overLong: 3 })
  })
})

describe('the gold', () => {
  test('joins the winners where the item has an explanation', () => {
    const samples = samplesOf('q', 'b1.', 'a8.', 'a9.')
    const { pairs } = make(samples, { goldAsWinner: true })
    expect(pairs.map(({ chosenFrom, chosen }) => [chosenFrom, chosen])).toEqual([
      ['sample', '1\n答え：b'],
      ['gold-explanation', '説く。\n答え：b'],
      ['sample', '1\n答え：b'],
      ['gold-explanation', '説く。\n答え：b'],
    ])
    expect(pairs[1]!.chosenTokens).toEqual([...tokenizer.encodeContinuation('説く。\n答え：b'), END])
    expect(make(samples, { goldAsWinner: true }, [item('q', '')]).pairs).toHaveLength(2)
  })

  test.each([
    ['gold-explanation', '説く。\n答え：b'],
    ['gold-answer', '\n答え：b'],
  ] as const)('whenNoWinner: %s', (whenNoWinner, chosen) => {
    const { pairs, counts } = make(samplesOf('q', 'a8.', 'b1'), { whenNoWinner })
    expect(pairs.map((pair) => [pair.chosen, pair.chosenFrom])).toEqual([[chosen, whenNoWinner]])
    expect(counts).toMatchObject({ questionsWithGoldOnly: 1, questionsWithoutWinner: 0 })
  })
})

describe('no pairs at all', () => {
  test.each([
    [['b1.', 'b2'], {}, 'every sample was right, so there is no loser. Take harder questions'],
    [
      ['a1.', '?.'],
      {},
      'every sample was wrong, so there is no winner. Set whenNoWinner to gold-explanation or gold-answer',
    ],
    [['a1.', 'b2'], {}, 'no sample that was right ended by itself'],
    [['b1.', 'a2'], {}, '1 without a loser'],
    [['b1.', 'a2.'], { maxTokens: 3 }, '1 longer than 3 tokens'],
  ])('%j %j: %s', (texts, more, message) => {
    const attempt = () => make(samplesOf('q', ...texts), more)
    expect(attempt).toThrow(message)
    expect(attempt).toThrow(expect.objectContaining({ name: 'UserError' }))
  })

  test('gold explanations are asked for and the items have none', () => {
    const attempt = () => make(samplesOf('q', 'a1.'), { whenNoWinner: 'gold-explanation' }, [item('q', '')])
    expect(attempt).toThrow('The items have no explanation: set whenNoWinner to gold-answer')
  })

  test('no samples', () => {
    expect(() => make([])).toThrow('there are no samples of these questions')
  })
})

test('a seeded share of the questions is held out, the same for any pairs of them', () => {
  const questions = Array.from({ length: 40 }, (_, i) => `q${i}`)
  const held = holdOutQuestions(questions, 0.1, 5)
  expect(held.size).toBe(4)
  expect(holdOutQuestions([...questions, 'q0', 'q1'], 0.1, 5)).toEqual(held)
  expect(holdOutQuestions(questions, 0.1, 6)).not.toEqual(held)
  expect(holdOutQuestions(questions, 0, 5).size).toBe(0)
})

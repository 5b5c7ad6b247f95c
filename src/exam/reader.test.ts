// Real-looking outputs, among them those known to have misled other graders, and properties that hold for any string.
import { describe, expect, test } from 'vitest'
import { Random } from '../base/random.ts'
import { readAnswer } from './reader.ts'
import type { AnswerClass, ExamItem, Way } from './records.ts'

const one: ExamItem = {
  id: 'one',
  question: '最も考えられるのはどれか。',
  options: ['狭心症', '肺炎', '胆管癌', '片頭痛', 'A群溶連菌感染症'],
  gold: [['c']],
  points: 1,
}
const two: ExamItem = { ...one, question: '適切なのはどれか。2つ選べ。', gold: [['a', 'c']] }
const three: ExamItem = { ...one, question: '適切なのはどれか。3つ選べ。', gold: [['a', 'c', 'e']] }
const wrong: ExamItem = { ...one, question: '自己免疫性膵炎で誤っているのはどれか。', gold: [['a']] }
const either: ExamItem = { ...one, gold: [['a'], ['d']] }
const eight: ExamItem = { ...one, options: ['一', '二', '三', '四', '五', '六', '七', '八'], gold: [['g']] }
const number: ExamItem = { ...one, question: '求めよ。解答：①②Torr', options: [], gold: [['26']] }
const decimal: ExamItem = { ...one, question: '求めよ。解答：①.②③', options: [], gold: [['7.20']] }

type Row = [item: ExamItem, way: Way, output: string, answer: string | null, kind?: AnswerClass]

const atOnce: Row[] = [
  [one, 'answer', 'c', 'c'],
  [one, 'answer', ' c', 'c'],
  [one, 'answer', 'C', 'c'],
  [one, 'answer', 'ｃ', 'c'],
  [one, 'answer', 'Ｃ。', 'c'],
  [one, 'answer', 'ⓒ', 'c'],
  [one, 'answer', '(c)', 'c'],
  [one, 'answer', '⒞', 'c'],
  [one, 'answer', '**c**', 'c'],
  [one, 'answer', '`c`', 'c'],
  [one, 'answer', '$c$', 'c'],
  [one, 'answer', '「c」', 'c'],
  [one, 'answer', 'c.', 'c'],
  [one, 'answer', 'c. 胆管癌', 'c'],
  [one, 'answer', 'c: 胆管癌', 'c'],
  [one, 'answer', 'c　胆管癌', 'c'],
  [one, 'answer', 'c胆管癌', 'c'],
  [one, 'answer', 'c (胆管癌)', 'c'],
  [one, 'answer', 'c (計算式は2×(Na値+K値) + 血糖/18 + BUN/2.8)', 'c'],
  [one, 'answer', 'b (100%)', 'b'],
  [one, 'answer', 'b. nasopharynx.', 'b'],
  [one, 'answer', 'b  (脳血管疾患)', 'b'],
  [one, 'answer', 'cです。', 'c'],
  [one, 'answer', 'c である', 'c'],
  [one, 'answer', 'c\n', 'c'],
  [one, 'answer', 'c\n解説：胆管拡張があるため。', 'c'],
  [one, 'answer', 'c 確信度(0~1): 0.95', 'c'],
  [one, 'answer', '胆管癌', 'c'],
  [one, 'answer', '胆管癌。', 'c'],
  [one, 'answer', '「胆管癌」', 'c'],
  [one, 'answer', 'A群溶連菌感染症', 'e'],
  [one, 'answer', '答え：c', 'c'],
  [one, 'answer', '正解は c です', 'c'],
  [one, 'answer', 'c<|im_end|>\n<|im_start|>user\n答え：d', 'c', 'run-on'],
  [one, 'answer', 'c\n\n問題：次のうち正しいのはどれか。\na. 1\n答え：e', 'c', 'run-on'],
  [one, 'answer', 'c\nさいころ\nさいころuser\n問題: 36歳の初産婦。\n答え: d', 'c', 'run-on'],
  [one, 'answer', '', null, 'none'],
  [one, 'answer', '   \n', null, 'none'],
  [one, 'answer', 'A群β溶連菌', null, 'none'],
  [one, 'answer', 'ACE阻害薬', null, 'none'],
  [one, 'answer', 'CT', null, 'none'],
  [one, 'answer', 'B型肝炎', null, 'none'],
  [one, 'answer', 'C-peptide', null, 'none'],
  [one, 'answer', 'a patient with chest pain', null, 'none'],
  [one, 'answer', 'f', null, 'none'],
  [one, 'answer', 'TSH, FT4', null, 'none'],
  [one, 'answer', '申し訳ありませんが、画像がないため回答できません。', null, 'refused'],
  [one, 'answer', 'a. 狭心症\nb. 肺炎\nc. 胆管癌\nd. 片頭痛\ne. A群溶連菌感染症\n答え：c', 'c'],
  [one, 'answer', 'a: 狭心症\nb: 肺炎\nc: 胆管癌', null, 'none'],
  [one, 'answer', 'a, c', 'a,c', 'wrong-count'],
  [one, 'answer', 'bde', 'b,d,e', 'wrong-count'],
  [one, 'answer', '[選んだ回答(単数/複数/数値)]', null, 'placeholder'],
  [one, 'answer', '【選んだ選択肢の記号】', null, 'placeholder'],
  [one, 'answer', '[a-e]', null, 'placeholder'],
  [one, 'answer', '$LETTER', null, 'placeholder'],
  [one, 'answer', '…', null, 'placeholder'],
  [two, 'answer', 'a,c', 'a,c'],
  [two, 'answer', 'a, c', 'a,c'],
  [two, 'answer', 'a、c', 'a,c'],
  [two, 'answer', 'ａ、ｃ', 'a,c'],
  [two, 'answer', 'a,c,', 'a,c'],
  [two, 'answer', 'c・a', 'a,c'],
  [two, 'answer', 'aとc', 'a,c'],
  [two, 'answer', 'a と c です。', 'a,c'],
  [two, 'answer', 'a and c', 'a,c'],
  [two, 'answer', 'a及びc', 'a,c'],
  [two, 'answer', 'ac', 'a,c'],
  [two, 'answer', 'AC', 'a,c'],
  [two, 'answer', 'a c', 'a,c'],
  [two, 'answer', 'a, d.', 'a,d'],
  [two, 'answer', 'a. 狭心症、c. 胆管癌', 'a,c'],
  [two, 'answer', '狭心症、胆管癌', 'a,c'],
  [two, 'answer', 'a and c (① is a nasal speculum and ③ is a laryngoscope)', 'a,c'],
  [two, 'answer', 'c', 'c', 'wrong-count'],
  [three, 'answer', 'ace', 'a,c,e'],
  [three, 'answer', 'a, c, e', 'a,c,e'],
  [three, 'answer', 'a、cおよびe', 'a,c,e'],
  [three, 'answer', 'ACE阻害薬', null, 'none'],
  [either, 'answer', 'd', 'd'],
  [eight, 'answer', 'g', 'g'],
]

const explained: Row[] = [
  [one, 'explain', '胆管拡張がある。\n答え：c', 'c'],
  [one, 'explain', '胆管拡張がある。\n答え： c', 'c'],
  [one, 'explain', '胆管拡張がある。答えはc', 'c'],
  [one, 'explain', '答えはb', 'b'],
  [one, 'explain', '回答: ｂ', 'b'],
  [one, 'explain', '正解はBです。CTは不要です。', 'b'],
  [one, 'explain', '回答：ACE阻害薬を中止するのでD', 'd'],
  [one, 'explain', 'ACE阻害薬を中止するのでD', 'd'],
  [two, 'explain', '回答: A, C', 'a,c'],
  [one, 'explain', 'ANSWER: $LETTER', null, 'placeholder'],
  [one, 'explain', 'ANSWER: B', 'b'],
  [one, 'explain', 'ANSWER: $B$', 'b'],
  [one, 'explain', 'ANSWER: **B**', 'b'],
  [one, 'explain', 'The final answer is $\\boxed{c}$.', 'c'],
  [one, 'explain', '\\boxed{\\text{c}}', 'c'],
  [one, 'explain', '{"explanation": "胆管拡張", "answer": "c"}', 'c'],
  [two, 'explain', '{"answer": ["a", "c"]}', 'a,c'],
  [one, 'explain', '【答え】c', 'c'],
  [one, 'explain', '## 答え\nc', 'c'],
  [one, 'explain', '**答え：c**', 'c'],
  [one, 'explain', '**答え**：c', 'c'],
  [one, 'explain', '正解：c. 胆管癌', 'c'],
  [one, 'explain', '正解は「c. 胆管癌」です。', 'c'],
  [one, 'explain', '正解は胆管癌です。', 'c'],
  [one, 'explain', '正解はB型肝炎です。', null, 'none'],
  [one, 'explain', '正解はビタミンCです。', null, 'none'],
  [one, 'explain', '正答率は低い。cが正解。', 'c'],
  [one, 'explain', 'したがって、正解はcである。', 'c'],
  [one, 'explain', '以上より c を選択する。', 'c'],
  [one, 'explain', 'よって c。', 'c'],
  [one, 'explain', '胆管拡張を認めることから、cが最も適切である。', 'c'],
  [one, 'explain', '最も可能性が高いのは、c: 胆管癌です。\n理由は黄疸である。', 'c'],
  [one, 'explain', '胆管拡張を認める。\n\nc', 'c'],
  [one, 'explain', '答えはcではない。答えはdである。', 'd'],
  [one, 'explain', '正解はcではなくdである。', 'd'],
  [one, 'explain', '答えは c ではない。', null, 'none'],
  [one, 'explain', 'c は正解ではない。d は正解ではない。', null, 'none'],
  [one, 'explain', '肺野は清であるため肺炎とならない点に注意。', null, 'none'],
  [one, 'explain', '発熱がないため肺炎とは考えにくい。', null, 'none'],
  [one, 'explain', '不正解はaである。', null, 'none'],
  [one, 'explain', '答えはa。いや、見直すと答えはb。', 'b'],
  [one, 'explain', '答え：c\n理由：aとbは誤り、dとeも誤りである。', 'c'],
  [one, 'explain', 'a 誤り。b 誤り。c 正しい。d 誤り。e 誤り。', 'c'],
  [one, 'explain', 'ａ　誤り。ｃ　正しい。腎低形成にて羊水産生が低下している。', 'c'],
  [one, 'explain', 'a: 片頭痛ではない。b~d: 誤り。e: 正しい。', 'e'],
  [one, 'explain', 'a 正しい。b 正しい。c 誤り。', null, 'none'],
  [wrong, 'explain', 'a 誤り。膵全体が腫大する。b 正しい。c 正しい。', 'a'],
  [wrong, 'explain', '誤っているのは a である。', 'a'],
  [wrong, 'explain', '正しいのは b である。', null, 'none'],
  [two, 'explain', 'a: 片頭痛は女性に多い。b: 熟睡中に発症する。c、d: 正しい。e: 予防に有効でない。', 'c,d'],
  [two, 'explain', '正解はaとcです。', 'a,c'],
  [two, 'explain', '正解は a、c の2つである。', 'a,c'],
  [three, 'explain', 'a 正しい。減量を指導する。b 正しい。c 正しい。d 対応は求められない。', 'a,b,c'],
  [one, 'explain', 'The most common site is the putamen, which corresponds to option "d".', 'd'],
  [one, 'explain', 'Therefore, the answer is d.', 'd'],
  [one, 'explain', 'It is associated with a disease. The patient had a fever.', null, 'none'],
  [one, 'explain', 'Answer: a because the ST segment is elevated.', 'a'],
  [one, 'explain', 'Answer: a patient with this finding needs CT.', null, 'none'],
  [one, 'explain', 'グラム陽性のA群溶連菌、B群溶連菌、C反応性蛋白を考える。', null, 'none'],
  [one, 'explain', 'HbA1c、CT、MRI、A-aDO2を測る。', null, 'none'],
  [one, 'explain', 'ビタミンB、ビタミンC、ビタミンD。', null, 'none'],
  [one, 'explain', '答え：[選んだ回答(単数/複数/数値)]', null, 'placeholder'],
  [one, 'explain', 'answer: [選んだ回答(単数/複数/数値)]\nexplanation: e 正しい。GBSに有効。', 'e'],
  [one, 'explain', 'answer: a\nconfidence: 0.98\nサイコロサイコロuser\n問題：ある疾患\nanswer: af', 'a', 'run-on'],
  [one, 'explain', 'answer: af', null, 'none'],
  [
    one,
    'explain',
    'e: 正しい。腎機能検査はすべて下がる。\nサイコロ\nサイコロuser\n問題：28歳の女性。\nanswer: 8;100;90.9;1.6',
    'e',
    'run-on',
  ],
  [
    one,
    'explain',
    'answer: e 確信度(0~1): 0.95 \n 説明: 幻視がある。\n\n問\n問題: 3か月の乳児。\n回答:\na',
    'e',
    'run-on',
  ],
  [
    one,
    'explain',
    'a: 正しい。血糖の管理が必要である。b~e: 後でよい。\n摇替\n摇替\nuser: 本文\n31歳の女性。\nb: 正しい。',
    'a',
    'run-on',
  ],
  [one, 'explain', 'd: 正しい。\n🗳️\n🗳️user\n問題：32歳の女性。\n答え：c', 'd', 'run-on'],
  [one, 'explain', '答え：c<|endoftext|>答え：d', 'c', 'run-on'],
  [one, 'explain', '答え：c</s>', 'c'],
  [one, 'explain', '答え：c\n\n問2 次の文を読み答えよ。\n答え：e', 'c', 'run-on'],
  [one, 'explain', '答え：c\n\n【問題】\n答え：e', 'c', 'run-on'],
  [one, 'explain', '問題：別の患者である。\n答え：e', null, 'none'],
  [one, 'explain', '<|im_start|>assistant\n胆管拡張。\n答え：c', 'c'],
  [one, 'explain', '答え：', null, 'none'],
  [one, 'explain', '回答を指定された形式で出力してください。', null, 'none'],
  [eight, 'explain', '答え：h', 'h'],
  [one, 'explain', '投票結果:\na. 1票\nb. 1票\nc. 0票\nd. 0票\ne. 4票', null, 'none'],
  [one, 'explain', '選択肢:\na\nb\nc\nd\ne', null, 'none'],
  [one, 'explain', '解答\na\nb 正解\nc\nd\ne', 'b'],
  [one, 'explain', 'ゆえにa~dは正しいが、eは誤りである。', null, 'none'],
  [one, 'explain', '選んだ回答(a,b,c,d,e)の日本語読み上げ', null, 'placeholder'],
  [one, 'explain', '診療録 5年(正解)\n片頭痛 なし', null, 'none'],
  [one, 'explain', 'choice:\na: 狭心症\nb: 肺炎\ne: A群溶連菌感染症\n正答キー: c', 'c'],
  [one, 'explain', '症状に基づいて推測すると､b: 肺炎が最も考えられる選択肢です｡', 'b'],
  [one, 'explain', '可能性のある選択肢として、脳幹部(e) の病変が考えられます。', null, 'none'],
  [one, 'explain', '鼻鏡(a)と喉頭鏡(b)が提示されていないため回答できません。', null, 'refused'],
  [one, 'explain', 'the answer would be:\na: femoral vein', 'a'],
  [one, 'explain', '計算すると17となる。\n\n答え: c', 'c'],
  [two, 'explain', '答え: ae', 'a,e'],
  [one, 'explain', '正答は b、理由は胸痛である。', 'b'],
  [one, 'explain', '答え c', 'c'],
  [one, 'explain', '以上より選択肢cが正解である。', 'c'],
  [one, 'explain', 'cとdで迷うが、選択肢 c を選ぶ。', 'c'],
  [one, 'explain', 'aではなくbが正解である。', 'b'],
  [one, 'explain', '答え：c\n誤り：a、b、d、e', 'c'],
  [one, 'explain', '<answer>c</answer>', 'c'],
  [one, 'explain', '<answer>選択肢の記号</answer>', null, 'none'],
  [one, 'explain', 'f 正しい。', null, 'none'],
  [one, 'explain', 'Final answer: (C)', 'c'],
  [one, 'explain', 'The correct answer is option C.', 'c'],
  [one, 'explain', '→ c', 'c'],
  [one, 'explain', 'よってcである', 'c'],
  [one, 'explain', '誤っているのはa、b、d、eで、正しいのはc。', 'c'],
  [one, 'explain', '答えはｃ．胆管癌', 'c'],
]

const numbers: Row[] = [
  [number, 'answer', '26', '26'],
  [number, 'answer', '２６', '26'],
  [number, 'answer', '26Torr', '26'],
  [number, 'answer', '約 26 Torr', '26'],
  [number, 'answer', '\n43Torr', '43'],
  [number, 'explain', 'A-aDO2 = 104.73 - 79 = 25.73\n小数第1位を四捨五入すると 26\n\n解答: 26Torr', '26'],
  [number, 'explain', '正解は26である。', '26'],
  [number, 'explain', '計算の結果、1,440kcalとなる。\n答え：1,440kcal', '1440'],
  [number, 'answer', '①2②6', '26'],
  [number, 'answer', '①26 Torr', '26'],
  [number, 'explain', '解答: ①26torr', '26'],
  [number, 'answer', '①13 torr, ② 16 torr', null, 'none'],
  [number, 'answer', '① 250 - 80 - (120 ÷ 5)', null, 'none'],
  [decimal, 'answer', '①7.②2③0', '7.20'],
  [decimal, 'answer', '4.25/1000人', null, 'none'],
  [decimal, 'answer', '0.82g/日', '0.82'],
  [decimal, 'answer', '7.20', '7.20'],
  [decimal, 'explain', 'リスク比は0.54÷0.075である。\n答え：7.2', '7.2'],
  [decimal, 'explain', '計算できない。', null, 'none'],
  [decimal, 'explain', '答え：[数値を書く]', null, 'placeholder'],
]

describe('letters and numbers', () => {
  test.each([...atOnce, ...explained, ...numbers])('%#: %o', (item, way, output, answer, kind = 'answered') => {
    const read = readAnswer(output, item, { form: 'letter', way, finishReason: 'end', answerCue: '答え：' })
    expect([read.answer?.join(',') ?? null, read.class, read.reason]).toEqual([answer, kind, expect.any(String)])
    expect(read.span === undefined).toBe(answer === null)
  })

  test('there are more than two hundred rows', () => {
    expect(atOnce.length + explained.length + numbers.length).toBeGreaterThan(200)
  })
})

describe('the end of an output', () => {
  const read = (output: string, way: Way, finishReason: 'end' | 'length' | 'stop-string') =>
    readAnswer(output, one, { form: 'letter', way, finishReason, answerCue: '答え：' })

  test('cut before an answer is truncated, whatever the explanation leads to', () => {
    expect(read('a 誤り。b 誤り。c 正しい。d は', 'explain', 'length')).toMatchObject({
      answer: null,
      class: 'truncated',
    })
    expect(read('したがって c。さらに', 'explain', 'length')).toMatchObject({ answer: null, class: 'truncated' })
    expect(read('胆管拡張がある。', 'explain', 'end')).toMatchObject({ answer: null, class: 'none' })
  })

  test('an answer that is followed by more until the limit has run on', () => {
    expect(read('答え：c\n次に', 'explain', 'length')).toMatchObject({ answer: ['c'], class: 'run-on' })
    expect(read('c。胆管癌は', 'answer', 'length')).toMatchObject({ answer: ['c'], class: 'run-on' })
    expect(read('答え：c', 'explain', 'stop-string')).toMatchObject({ answer: ['c'], class: 'answered' })
  })

  test('another question before any answer is no truncation', () => {
    expect(read('胆管拡張。\n問題：次の', 'explain', 'length')).toMatchObject({ answer: null, class: 'none' })
  })

  test('the span is where the answer stands in the output as written', () => {
    const output = 'ﾀﾞﾐｰ。㈱。\n答え：ｃです'
    const { span } = read(output, 'explain', 'end')
    expect(output.slice(...span!)).toBe('ｃ')
  })
})

describe('an option text as the answer', () => {
  const names: ExamItem = { ...one, options: ['カンサ', 'ソリネ', 'ムート', 'カンサー', 'ヘルモ'], gold: [['a']] }
  const rows: [Way, string, 'end' | 'length', string | null, AnswerClass][] = [
    ['answer', 'カンサ', 'end', 'a', 'answered'],
    ['answer', 'カンサー', 'end', 'd', 'answered'],
    ['answer', 'ｶﾝｻ', 'end', 'a', 'answered'],
    ['answer', ' ソリネ \n', 'end', 'b', 'answered'],
    ['answer', 'ソリネ。', 'end', 'b', 'answered'],
    ['answer', '答え：ソリネ', 'end', 'b', 'answered'],
    ['answer', 'b', 'end', null, 'none'],
    ['answer', 'カンサである', 'end', null, 'none'],
    ['answer', 'カンサカンサ', 'length', null, 'truncated'],
    ['answer', 'カンサ\n問：', 'length', 'a', 'run-on'],
    ['answer', 'カンサ、ソリネ', 'end', 'a,b', 'wrong-count'],
    ['answer', '', 'end', null, 'none'],
    ['explain', 'カンサである。\n答え：ムート', 'end', 'c', 'answered'],
    ['explain', 'カンサである。答え：ムート', 'end', 'c', 'answered'],
    ['explain', '答え：ムート\n答え：カンサ', 'end', 'a', 'answered'],
    ['explain', '答え：ムート\n問：次は\n答え：カンサ', 'length', 'c', 'run-on'],
    ['explain', '答え：ナイモ', 'end', null, 'none'],
    ['explain', 'ムート', 'end', null, 'none'],
    ['explain', 'ムートである。カン', 'length', null, 'truncated'],
  ]
  test.each(rows)('%s %j (%s)', (way, output, finishReason, answer, kind) => {
    const read = readAnswer(output, names, { form: 'option-text', way, finishReason, answerCue: '答え：' })
    expect([read.answer?.join(',') ?? null, read.class]).toEqual([answer, kind])
  })
})

describe('any string', () => {
  const pieces = [
    ...'abcdeABCDE０ａｃｅⓒ⒞',
    ...[
      '答え：',
      '正解は',
      'answer:',
      'ではなく',
      'ではない',
      '正しい',
      '誤り',
      'です。',
      '、',
      ', ',
      '\n',
      ' ',
      '(',
      ')',
      '[',
      ']',
    ],
    ...[
      '問題：',
      '<|im_end|>',
      'user\n',
      'ので',
      'したがって',
      '狭心症',
      'ﾀﾞ',
      'が',
      '\u0301',
      '\ud83d',
      '😀',
      '$',
      '{',
      '}',
      '\\boxed{',
    ],
    ...['26', '．', '約', '%', '[選んだ回答]', '…', '*', '~', '：', '｡'],
  ]
  const items = [one, two, wrong, either, eight, number]

  test('reads without failing, the same as its NFKC form, and answers with options only', () => {
    for (let i = 0; i < 4000; i++) {
      const random = new Random(7, 'reader', i)
      const output = Array.from({ length: random.integer(25) }, () => random.pick(pieces)).join('')
      const item = random.pick(items)
      const form = random.pick(['letter', 'option-text'] as const)
      const options = {
        form,
        way: random.pick(['answer', 'explain'] as const),
        finishReason: random.pick(['end', 'length', 'stop-string'] as const),
        answerCue: '答え：',
      }
      const read = readAnswer(output, item, options)
      const normal = readAnswer(output.normalize('NFKC'), item, options)
      expect([output, normal.answer, normal.class]).toEqual([output, read.answer, read.class])
      if (read.answer === null) continue
      expect(read.span![1]).toBeGreaterThan(read.span![0])
      if (item.options.length === 0) expect(Number.isFinite(Number(read.answer[0]))).toBe(true)
      else for (const letter of read.answer) expect(letter.charCodeAt(0) - 97).toBeLessThan(item.options.length)
    }
  })

  test.each([
    'a',
    'a,',
    '答え：',
    '答え：a ではなく',
    '答え：[',
    '(',
    '\n',
    ' ',
    'a\n',
    'b: 正しい。',
    '問題',
    'よってc、',
    '1',
    '{"answer": ',
    'よって値は1',
    '選択はでき',
    '答えは2つで、',
    '狭心症',
  ])('takes linear time on %j repeated', { retry: 2 }, (piece) => {
    // Processor time of this process: other processes on the machine make it longer at times, never shorter, hence another try.
    const milliseconds = (length: number, times: number) => {
      const output = piece.repeat(length / piece.length)
      const all = Array.from({ length: times }, () => {
        const start = process.cpuUsage()
        for (const item of [one, number]) {
          readAnswer(output, item, { form: 'letter', way: 'answer', finishReason: 'end', answerCue: '答え：' })
        }
        return process.cpuUsage(start).user / 1000
      })
      return Math.min(...all)
    }
    milliseconds(20_000, 3) // compiled by now
    // Four times the length: about 4 times the time when linear, 16 times when quadratic.
    expect(milliseconds(1_000_000, 1) / Math.max(milliseconds(250_000, 3), 4)).toBeLessThan(10)
  })
})

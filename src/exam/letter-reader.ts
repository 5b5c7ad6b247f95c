// Reads answers given as option letters. Three kinds of statement count, the stronger before the weaker and the last of
// its kind: an explicit answer (「答え：c」), a conclusion (「…なのでD」), and judgements option by option (「c 正しい」).
import { type AskedFor, askedFor } from './asked-for.ts'
import { judgements, type Statement } from './judgements.ts'
import { type LetterList, letterListAt, type OptionTexts, optionTexts } from './letter-list.ts'
import { findMarkers, skipLink } from './marker.ts'
import type { Finding, ReadingTask } from './reading.ts'

/** Finds the letters that an output gives as its answer. */
export function readLetters(task: ReadingTask): Finding {
  const { text, item, cut } = task
  const options = optionTexts(item)
  const explicit = explicitStatements(task, options)
  const asked = askedFor(item.question)
  const statement =
    explicit.statements.at(-1) ??
    (cut ? undefined : conclusion(text, options, asked)) ??
    (cut ? undefined : judgements(text, options, asked))
  if (statement !== undefined) {
    const { letters, start, end, reason } = statement
    return { answer: letters, start, end, reason }
  }
  return explicit.placeholder
    ? { answer: null, placeholder: true, reason: "the prompt's placeholder stands where the answer belongs" }
    : { answer: null, placeholder: false, reason: 'no statement of an answer' }
}

/** Explicit answers in the order in which they stand, negated ones left out. */
function explicitStatements(
  { text, way, cue }: ReadingTask,
  options: OptionTexts,
): { statements: Statement[]; placeholder: boolean } {
  const statements: Statement[] = []
  let placeholder = false
  const markers = findMarkers(text, cue)
  if (way === 'answer') markers.unshift({ start: 0, ...skipLink(text, 0) })
  const column = way === 'answer' ? letterColumn(text, options) : undefined
  if (column !== undefined) statements.push(column)
  const restated = restatedOptions(text)
  for (const marker of markers) {
    placeholder ||= marker.placeholder
    if (marker.placeholder) continue
    const list = affirmedAt(text, marker.end, options)
    if (list === undefined || (list.letters.length === 1 && restated.has(list.start))) continue
    const said = text.slice(marker.start, marker.end).trim().slice(0, 20)
    statements.push(statementOf(list, marker.start === 0 && way === 'answer' ? 'at the start' : `after 「${said}」`))
  }
  for (const list of freeLists(text, options)) {
    if (CHOSEN.test(text.slice(list.end, list.end + 24))) statements.push(statementOf(list, 'named as the answer'))
  }
  return { statements: statements.sort((a, b) => a.start - b.start), placeholder }
}

/** An output that is nothing but as many lines as letters were asked for (several), each with one of them. */
function letterColumn(text: string, options: OptionTexts): Statement | undefined {
  const lines = text.trim().split('\n', 11)
  if (lines.length < 2 || !options.asked.has(lines.length)) return undefined
  const letters = lines.flatMap((line) => {
    const bare = line.replace(/^[ \t]*(?:[-*・]|\d[.)])?[ \t]*/, '')
    const list = letterListAt(bare, 0, options)
    return list !== undefined && list.letters.length === 1 && /^[ \t。.]*$/.test(bare.slice(list.end))
      ? list.letters
      : []
  })
  if (new Set(letters).size < lines.length) return undefined
  // After any statement at the start, which would be the first line alone.
  const start = text.length - text.trimStart().length
  return { letters, start: start + 1, end: text.trimEnd().length, reason: 'a line each' }
}

function statementOf(list: LetterList, reason: string): Statement {
  return { letters: list.letters, start: list.start, end: list.end, reason }
}

const CHOSEN =
  /^[」』)"'*`]{0,3}[ \t]?(?:(?:が|を)(?:最も適切な)?(?:正解|正答|答え|解答)(?!では|じゃ|でな|率|の)|を(?:選択|選ぶ|選び)(?!肢|しな|ばな)|\s?is (?:the )?(?:correct|right|best)\b(?! (?:about|that)))/

/** After letters: what denies them. */
const DENIED =
  /^[」』)"'*`\]]{0,3}[ \t]?(?:(?:が|は|も)?[ \t]?(?:正解|正しい?|答え|適切)?(?:では|じゃ|で|く)な[いく]|(?:は|が|も)?[: \t]{0,2}(?:誤り|誤って|間違|不正解|不適切|違[うい]|除外|否定)|(?:と|に)は?(?:なら[なず]|[い言]えな|考え(?:にく|づら|られな|な))|\s?is (?:not|in?correct|wrong|false)\b|\s?isn't\b)/

/** After letters: what ends a statement, or goes on in a way that leaves it one. */
const ENDED =
  /^[」』】)"'*`~_\]}>$\\]{0,4}(?:\s{0,2}$|\s{0,3}\n|\s{0,2}[。、,.．;:)(（!?！？|<\]}」]|\s?(?:です|である|であり|であろう|だ(?:と|ろう|。|$)|で(?:しょう|正|よい|良い|合|\s|$)|と(?:考|判断|な|思|する|言|い|推|$|\s)|を(?:選|疑|考|第|行)|が(?:正|最|適|妥当|答|選|該当|考|疑)|に(?:なる|なり|該当|相当|当た)|のみ|だけ|番|の[2-9]つ|か(?:な|も|と)|から(?:$|[。、\s])|になる|となる))/

/** After letters and a blank: other words that may follow an answer. */
const GOES_ON =
  /^[」』)"'*`\]}$]{0,4}[ \t]{1,3}(?:[^\sA-Za-z0-9]|\d|(?:because|since|as|and|is|confidence|explanation|reason|due|for)\b)/i

/** The list of letters at a position, unless what follows denies it or shows that it is part of something else. */
function affirmedAt(text: string, from: number, options: OptionTexts, denials = 0): LetterList | undefined {
  const list = letterListAt(text, from, options)
  if (list === undefined) return undefined
  const rest = text.slice(list.end, list.end + 40)
  const denied = DENIED.exec(rest)
  if (denied !== null) {
    // 「c ではなく d」 goes on to the answer.
    const contrast = /^[^。\n]{0,12}?な(?:くて?)[、,\s]{0,2}/.exec(rest)
    if (contrast === null || denials === 4) return undefined
    return affirmedAt(text, list.end + contrast[0].length, options, denials + 1)
  }
  if (list.named || ENDED.test(rest)) return list
  const article = list.letters.length === 1 && list.letters[0] === 'a'
  if (GOES_ON.test(rest)) return list
  return !article && /^[ \t]{1,3}[A-Za-z]/.test(rest) ? list : undefined
}

/** A line that begins with a letter of its own: an option printed again, or a judgement of one. */
const LETTER_LINE = /^[ \t*#-]{0,4}([A-Ja-j])(?=[ \t:.)、,]|$)/gm

/** Where the letters stand that are printed as a list: the letter line before has the letter before, or the next the next. */
function restatedOptions(text: string): Set<number> {
  const lines = [...text.matchAll(LETTER_LINE)].map((match) => ({
    at: match.index + match[0].length - 1,
    code: match[1]!.toLowerCase().charCodeAt(0),
  }))
  const inList = lines.filter(({ code }, i) => lines[i - 1]?.code === code - 1 || lines[i + 1]?.code === code + 1)
  return new Set(inList.map(({ at }) => at))
}

/** A letter that stands free: not in a word, nor after katakana or kanji (「ビタミンC」, 「第c」), 「選択肢c」 apart. */
const FREE = /(?<![A-Za-z0-9_\-\\ァ-ヶー])(?<!(?<!選択)[一-龯])[A-Ja-j](?![A-Za-z0-9_-])/g

/** Lists of letters that stand free in running text. */
function freeLists(text: string, options: OptionTexts): LetterList[] {
  const lists: LetterList[] = []
  for (const { index } of text.matchAll(FREE)) {
    if (index < (lists.at(-1)?.end ?? 0)) continue
    const list = letterListAt(text, index, options)
    if (list !== undefined) lists.push(list)
  }
  return lists
}

const LEADS =
  /(?:ので|ため|から|よって|したがって|従って|以上より|ゆえに|故に|すなわち|つまり|結論(?:は|として)?|(?:正しい|適切な|考えられる|疑われる|可能性が高い|該当する|行うべき(?:な)?|必要な|選ぶべき|矛盾しない)(?:もの|の|選択肢|疾患|対応|治療|検査)?は|⇒|→|\b(?:therefore|thus|hence|so|corresponds to|choose|select|pick|is))[、,\s:]{0,3}(?:最も適切なのは|正しいのは|答えは|選択肢|the (?:correct )?(?:option|choice|answer)(?: is)?|option|choice)?[\s"'「『(*`]{0,3}$/i
const WRONG_LEADS = /(?:誤っている|誤り|正しくない|適切でない|不適切な)(?:もの|の|選択肢)?は[、,\s"'「*]{0,3}$/
const NOT_LEADS = /ない(?:もの|の)は[、,\s"'「*]{0,3}$/
/** After a letter: it labels an option that is printed again. */
const OPTION_LABEL = /^[」)]?\s?[:)]|^[」)]?\s?\.(?!\s{0,2}(?:\n|$))/
const APPROPRIATE =
  /^[」』)"'*`]{0,3}\s?(?:が(?:最も|もっとも|一番)?(?:適切|正しい|妥当|考えられ(?:る|ます)(?!が)|疑われ(?:る|ます)(?!が)|疑わし|該当)|の[^。、\n]{1,8}が(?:最も|もっとも)?(?:適切|正しい|妥当|有用|必要))/
const SENTENCE_START = /(?:^|[。\n])[\s"'「『(*`#>-]{0,6}$/
const SENTENCE_END =
  /^[」』)"'*`]{0,3}\s?(?:です|である|だ|となる|になる|と考え(?:られ)?る|を選択する)?\s{0,2}(?:[。\n]|\.?(?:\s{0,2}\n|\s{0,2}$))/

/** The last conclusion: 「したがって c」, 「…なのでD」, 「c が最も適切」, or letters that are a sentence or a line of their own. */
function conclusion(text: string, options: OptionTexts, asked: AskedFor): Statement | undefined {
  const wrongAsked = asked === 'wrong'
  const restated = restatedOptions(text)
  for (const list of [...freeLists(text, options), ...namedOptions(text, options)].sort((a, b) => b.start - a.start)) {
    const before = text.slice(Math.max(0, list.start - 40), list.start)
    const after = text.slice(list.end, list.end + 24)
    if (DENIED.test(after) || isEveryOption(list, options)) continue
    const ends = SENTENCE_END.test(after) || ENDED.test(after)
    const leads = wrongAsked
      ? WRONG_LEADS.test(before) || (LEADS.test(before) && !/正しいのは/.test(before))
      : LEADS.test(before) || (asked === 'not' && NOT_LEADS.test(before))
    const follows = /[(「『]\s?$/.test(before) ? after.replace(/^\s?[)」』]/, '') : after
    if (leads && ends && !OPTION_LABEL.test(follows)) return statementOf(list, 'the conclusion of the explanation')
    if (letterless(text, list)) continue
    if (!wrongAsked && APPROPRIATE.test(after)) return statementOf(list, 'said to be the most appropriate')
    const alone = SENTENCE_START.test(before) && SENTENCE_END.test(after)
    if (alone && !restated.has(list.start)) return statementOf(list, 'stands alone')
  }
  return undefined
}

/** All options in a row are the prompt's choice printed again, not an answer. */
function isEveryOption({ letters }: LetterList, { count, asked }: OptionTexts): boolean {
  return letters.length === count && !asked.has(count)
}

/** Options' own texts: as a conclusion they count only after words that lead to it, since explanations name all of them. */
function namedOptions(text: string, options: OptionTexts): LetterList[] {
  return options.texts.flatMap(({ text: option }) => {
    const at = text.lastIndexOf(option)
    const list = at < 0 ? undefined : letterListAt(text, at, options)
    return list === undefined ? [] : [list]
  })
}

function letterless(text: string, { start }: LetterList): boolean {
  return !/[A-Za-z]/.test(text.charAt(start))
}

// Finds what may identify a person in Japanese texts. Tells kind and line, never what stands there.

export type IdentifierKind =
  | 'e-mail address'
  | 'telephone number'
  | 'address'
  | 'My Number'
  | 'insurance number'
  | 'patient number'
  | 'date of birth'
  | 'name'

export interface Identifier {
  kind: IdentifierKind
  /** From 1. */
  line: number
}

/** What the digits of a match must fulfil besides. */
type Check = (match: RegExpMatchArray) => boolean

/** Applied to lines in NFKC, so that digits and letters have one width; ー and − between digits count as hyphens. */
const rules: [IdentifierKind, RegExp, Check?][] = [
  ['e-mail address', /[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.[a-z]{2,}/gi],
  [
    'telephone number',
    /(?<![\d.-])(?:\+81[- ]?\d{1,4}|\(?0\d{1,4}\)?)[- ()]{1,2}\d{1,4}[- )]\d{4}(?![\d-])/g,
    ([number]) => /^(\d{10,11}|81\d{9,10})$/.test(digitsOf(number)),
  ],
  ['telephone number', /(?<!\d)0[5789]0\d{8}(?!\d)/g],
  ['telephone number', /(?:電話|携帯|TEL|FAX)(?:番号)?\s*:?\s*0\d{9,10}(?!\d)/gi],
  ['address', /〒\s*\d{3}-?\d{4}|(?<!\d)\d{3}-\d{4}\s*(?:北海道|東京都|(?:京都|大阪)府|\p{Script=Han}{2,3}県)/gu],
  [
    'address',
    /(?:北海道|東京都|(?:京都|大阪)府|\p{Script=Han}{2,3}県)[^\s、。]{1,12}?[市区町村][^\s、。]{0,14}?\d+(?:丁目|番地?|-\d+)/gu,
  ],
  ['My Number', /(?<![\d.-])\d{4}([- ]?)\d{4}\1\d{4}(?![\d.-])/g, ([number]) => isMyNumber(digitsOf(number))],
  [
    'insurance number',
    /(?:保険者番号|被保険者(?:証)?(?:等)?(?:の)?(?:記号|番号)|保険証(?:の)?(?:記号|番号)|公費負担者番号|受給者番号)[^\d\n]{0,8}\d{3,}/g,
  ],
  [
    'patient number',
    /(?:患者|カルテ|診療録|診察券|受診者|入院)\s*(?:ID|番号|No\.?|#)\s*[:.=]?\s*[A-Z]{0,3}-?\d[\d-]{3,}|(?<![A-Za-z])ID\s*:\s*[A-Z]{0,3}-?\d{5,}/gi,
  ],
  ['date of birth', /(?:生年月日|誕生日)\s*[:は]?\s*[(]?(?:明治|大正|昭和|平成|令和|[MTSHR]|(?:19|20)\d\d)/g],
  [
    'date of birth',
    /(?:明治|大正|昭和|平成|令和|(?:19|20)\d\d)[\d元]{0,2}\s*[年/.-]\s*\d{1,2}\s*[月/.-]\s*\d{1,2}\s*日?\s*(?:生まれ|生(?![\p{Script=Han}]))/gu,
  ],
  [
    'name',
    /(?:患者名|患者氏名|(?<!病院|医師|薬品|疾患)氏名|患者様名|お名前)\s*:[ \t]*(?!\s|不明|匿名|非公開|記載)[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}ー]{2,}/gu,
  ],
]

/** Likely personal identifiers, by line. */
export function findIdentifiers(text: string): Identifier[] {
  return text.split('\n').flatMap((line, i) => {
    const plain = line.normalize('NFKC').replace(/(?<=\d)[ー−‐‑–—―](?=\d)/g, '-')
    const kinds = rules.flatMap(([kind, pattern, check = () => true]) =>
      [...plain.matchAll(pattern)].filter(check).map(() => kind),
    )
    return kinds.map((kind) => ({ kind, line: i + 1 }))
  })
}

function digitsOf(text: string): string {
  return text.replace(/\D/g, '')
}

/** The check digit of a 12-digit individual number (Ordinance of the Ministry of Internal Affairs 85 of 2014, article 5). */
function isMyNumber(digits: string): boolean {
  let sum = 0
  for (let n = 1; n <= 11; n++) sum += Number(digits[11 - n]) * (n <= 6 ? n + 1 : n - 5)
  const rest = sum % 11
  return Number(digits[11]) === (rest <= 1 ? 0 : 11 - rest)
}

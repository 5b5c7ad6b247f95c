// Personal identifiers in Japanese texts: what is found, what is left in peace.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { readJsonLines } from '../base/files.ts'
import { findIdentifiers } from './identifiers.ts'

it.each([
  ['連絡先は03-1234-5678。', ['telephone number']],
  ['(0120)123-456は10桁ではない', []],
  ['携帯０９０－１２３４－５６７８まで', ['telephone number']],
  ['09012345678', ['telephone number']],
  ['TEL：0312345678', ['telephone number']],
  ['+81 90-1234-5678', ['telephone number']],
  ['taro.yamada@example.co.jp へ', ['e-mail address']],
  ['〒100-0001', ['address']],
  ['100-8916 東京都千代田区', ['address']],
  ['埼玉県川口市本町1丁目2番地に住む', ['address']],
  ['個人番号 1234 5678 9018', ['My Number']],
  ['個人番号 123456789018', ['My Number']],
  ['123456789012', []], // the check digit is wrong
  ['1234567890180', []], // 13 digits
  ['被保険者証の記号 1234 番号 5678', ['insurance number']],
  ['保険者番号：06123456', ['insurance number']],
  ['患者ID：114-0021', ['patient number']],
  ['カルテ番号 A-00123', ['patient number']],
  ['生年月日：昭和40年3月2日', ['date of birth']],
  ['1965年3月2日生まれ', ['date of birth']],
  ['昭和40.3.2生', ['date of birth']],
  ['1965年3月2日生検を施行', []],
  ['氏名：山田 太郎', ['name']],
  ['患者名　:　ヤマダタロウ', ['name']],
  ['氏名：○○', []],
  ['氏名：不明', []],
  ['患者の氏名を確認した。', []],
  ['検査値は123-456-7890、血圧は120-80、2020-11-21に再診', []],
  ['ISBN 978-4-0000-0000-0 と10-20-1234', []],
  ['福島県と宮城県の市町村では2020年から', []],
])('%s', (text, kinds) => {
  expect(findIdentifiers(text).map(({ kind }) => kind)).toEqual(kinds)
})

it('counts lines from 1 and tells nothing of what stands there', () => {
  const found = findIdentifiers('症例\n氏名：山田 太郎\n\n電話 03-1234-5678')
  expect(found).toEqual([
    { kind: 'name', line: 2 },
    { kind: 'telephone number', line: 4 },
  ])
})

const shared = process.env.MEIKAI_SHARED ?? new URL('../../../shared', import.meta.url).pathname
const corpus = join(shared, 'data/corpus-ja-medical/medical.jsonl')
it.skipIf(!existsSync(corpus))(
  'raises no alarm on published case reports (skipped without MEIKAI_SHARED)',
  async () => {
    const found: unknown[] = []
    for await (const { value, line } of readJsonLines(corpus)) {
      for (const { kind } of findIdentifiers((value as { text: string }).text)) found.push({ kind, line })
    }
    expect(found).toEqual([])
  },
)

// Scoring 2,000 recorded answers, start included, beside `node -e 0`: medians of 7 in turn; the goal is under 1 s.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Random } from '../src/base/random.ts'
import { meikai, timeCommands } from './sides/commands.ts'
import { median } from './sides/comparison.ts'

const runs = 7
const answers = 2000
const folder = await mkdtemp(join(tmpdir(), 'meikai-bench-score-'))
try {
  const random = new Random(1, 'bench-score')
  const letters = ['a', 'b', 'c', 'd', 'e']
  const items = Array.from({ length: answers }, (_, i) => ({
    id: `q${i}`,
    question: '40歳の女性。胸痛を主訴に来院した。最も考えられるのはどれか。'.repeat(4),
    options: letters.map((letter) => `${letter}という疾患`),
    gold: [[random.pick(letters)]],
    year: String(2018 + (i % 5)),
    ...(i % 10 < 2 && { cluster: `case ${i - (i % 10)}` }),
  }))
  /** Half answers at once, half explanations of some 600 characters. */
  const outputs = items.map(({ id }, i) => {
    const letter = random.pick(letters)
    const explanation = '胸部エックス線写真で異常を認めない。aは誤り。bは正しくない。'.repeat(20)
    return { id, output: i % 2 === 0 ? letter : `${explanation}\n答え：${letter}` }
  })
  const lines = (records: object[]) => records.map((record) => JSON.stringify(record)).join('\n')
  await writeFile(join(folder, 'items.jsonl'), lines(items))
  await writeFile(join(folder, 'answers.jsonl'), lines(outputs))
  const own = { name: 'bench', title: 'Bench', layout: 'items', data: 'items.jsonl', licence: 'none' }
  await writeFile(join(folder, 'exam.yaml'), JSON.stringify(own))
  const commands = {
    'node -e 0': ['-e', '0'],
    'meikai score': [meikai, 'score', '--exam', join(folder, 'exam.yaml'), '--answers', join(folder, 'answers.jsonl')],
  }
  const medians = [...timeCommands(commands, runs)].map(([name, times]) => ({ name, ms: median(times) }))
  console.log(`${answers} answers     median ms   times node -e 0`)
  for (const { name, ms } of medians) {
    const ratio = ms / (medians[0]?.ms as number)
    console.log(`${name.padEnd(16)}  ${ms.toFixed(0).padStart(9)}   ${ratio.toFixed(1).padStart(15)}`)
  }
  const slow = (medians[1]?.ms as number) >= 1000
  console.log(slow ? 'Over the goal of 1,000 ms.' : 'Within the goal of 1,000 ms.')
  process.exitCode = slow ? 1 : 0
} finally {
  await rm(folder, { recursive: true })
}

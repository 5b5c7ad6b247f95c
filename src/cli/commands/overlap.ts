// meikai overlap: which questions of an exam stand in texts, and where.
import { UserError } from '../../base/errors.ts'
import { repeatedValues } from '../arguments.ts'
import { defineCommand, jsonOption } from '../command.ts'
import { examOptions } from '../exam-options.ts'

const args = {
  ...examOptions,
  texts: {
    type: 'string',
    valueHint: 'PATH',
    required: true,
    description: 'A file, folder or glob of texts; may stand several times',
  },
  column: {
    type: 'string',
    valueHint: 'NAME',
    default: 'text',
    description: 'Where the text stands in JSON Lines and Parquet',
  },
  characters: {
    type: 'string',
    valueHint: 'NUMBER',
    default: '40',
    description: 'Letters and digits of its own that a question must share in one run',
  },
  out: { type: 'string', valueHint: 'FILE', default: 'overlap.jsonl', description: 'Where to write every place found' },
  ...jsonOption,
} as const

/** Items that are printed; the file has all. */
const maxListed = 20

export const overlap = defineCommand({
  meta: { name: 'overlap', description: 'Find the questions of an exam in texts: long runs and near copies' },
  args,
  examples: [
    {
      line: 'meikai overlap --exam igakuqa --data igakuqa --texts texts',
      purpose: 'which questions the texts hold, and where; meikai score --overlap takes the file',
    },
  ],
  async run({ args: { exam: name, data, column, characters, out: file, json }, rawArgs }) {
    if (!/^[1-9]\d{0,5}$/.test(characters)) {
      throw new UserError(`--characters ${characters}: must be a whole number from 1.`, { status: 2 })
    }
    const { formatCount } = await import('../../base/format.ts')
    const { openExam } = await import('../../exam/exam.ts')
    const { searchOverlaps } = await import('../../data/overlap-search.ts')
    const { items } = await openExam(name, { data })
    const counts = await searchOverlaps({
      items,
      texts: repeatedValues(rawArgs, args, 'texts'),
      column,
      characters: Number(characters),
      file,
      ...(process.stderr.isTTY && {
        onProgress: (documents, found) =>
          process.stderr.write(`\r${formatCount(documents)} documents read, ${found} questions found `),
      }),
    })
    if (process.stderr.isTTY) process.stderr.write('\r\u001b[K')
    const { documents, flaggedDocuments, found, tooGeneral } = counts
    if (json) {
      const flagged = [...found.keys()]
      console.log(
        JSON.stringify({
          type: 'overlap',
          file,
          items: items.length,
          documents,
          flaggedDocuments,
          flagged,
          tooGeneral,
        }),
      )
      return 0
    }
    const { table } = await import('../table.ts')
    if (found.size > 0) {
      const rows = [...found].slice(0, maxListed).map(([item, { documents: times, first, excerpt }]) => {
        const shared =
          first.kind === 'run' ? `run of ${first.characters}` : `near copy, ${Math.round(100 * (first.share ?? 0))} %`
        return [
          item,
          String(times),
          shared,
          `${first.document}, ${first.span[0]}`,
          excerpt.replace(/\s+/g, ' ').slice(0, 24),
        ]
      })
      for (const line of table(['question', 'documents', 'shared', 'first at', 'there'], rows)) console.log(line)
      if (found.size > maxListed) console.log(`and ${found.size - maxListed} more`)
      console.log('')
    }
    console.log(
      `${formatCount(found.size)} of ${formatCount(items.length)} questions found in ${formatCount(flaggedDocuments)} of ${formatCount(documents)} documents: ${file}`,
    )
    if (tooGeneral.length > 0) console.log(`${tooGeneral.length} questions say too little of their own to be found.`)
    return 0
  },
})

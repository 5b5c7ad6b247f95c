// meikai score: grades recorded answers, with intervals, pass marks and comparisons.
import { UserError } from '../../base/errors.ts'
import { nearest } from '../../base/nearest.ts'
import { type ReadingName, readingNames } from '../../exam/reading-names.ts'
import { repeatedValues } from '../arguments.ts'
import { defineCommand, jsonOption } from '../command.ts'
import { choiceOptions, examOptions } from '../exam-options.ts'

const args = {
  ...examOptions,
  answers: {
    type: 'string',
    valueHint: 'FILE',
    description: 'Lines of {"id", "output"}; several files compare; left out, systems recorded with the data',
  },
  reading: {
    type: 'string',
    valueHint: 'NAME',
    description: `How answers are read: ${readingNames.join(', ')} (default: the exam's)`,
  },
  ...choiceOptions,
  template: {
    type: 'string',
    valueHint: 'NAME',
    description:
      "What the answers' prompts were made with: its answer cue is looked for (default: the exam's language)",
  },
  changes: {
    type: 'string',
    valueHint: 'READING',
    description: 'List the items that this other reading judges otherwise',
  },
  overlap: {
    type: 'string',
    valueHint: 'FILE',
    description: 'What meikai overlap found: results also without these items',
  },
  report: {
    type: 'string',
    valueHint: 'FILE',
    description: 'Write a page of it, such as report.html: every item, every output',
  },
  ...jsonOption,
} as const

export const score = defineCommand({
  meta: { name: 'score', description: 'Grade recorded answers: points, passing, intervals, comparisons' },
  args,
  examples: [
    {
      line: 'meikai score --exam igakuqa --data igakuqa --reading published',
      purpose: 'every recorded system, years by systems',
    },
    {
      line: 'meikai score --exam exam.yaml --answers a.jsonl --answers b.jsonl',
      purpose: 'your own answers, compared',
    },
    {
      line: 'meikai score --exam igakuqa119 --data igakuqa119 --changes igakuqa119',
      purpose: 'item by item, what reading otherwise changes',
    },
    {
      line: 'meikai score --exam igakuqa --data igakuqa --report report.html',
      purpose: 'a page to look through: filters, and every system on every item',
    },
  ],
  async run({ args: { exam: name, data, years, template, json, ...options }, rawArgs }) {
    const { openExam } = await import('../../exam/exam.ts')
    const { loadAnswers, loadRecordedSystems } = await import('../../exam/recorded.ts')
    const { scoreSystem } = await import('../../exam/score.ts')
    const other = options.changes === undefined ? undefined : toReading(options.changes, '--changes')
    const exam = await openExam(name, { data, years: years?.split(','), textOnly: options['text-only'], template })
    const reading = options.reading === undefined ? exam.description.reading : toReading(options.reading, '--reading')
    const files = repeatedValues(rawArgs, args, 'answers')
    const systems =
      files.length > 0
        ? nameApart((await Promise.all(files.map(loadAnswers))).flat(), files)
        : await loadRecordedSystems(exam.path, exam.description, [
            ...new Set(exam.items.flatMap(({ year }) => year ?? [])),
          ])
    const scores = systems.map((system) => scoreSystem(exam, system, reading))
    const overlaps =
      options.overlap === undefined
        ? undefined
        : await (await import('../../data/overlap-search.ts')).loadOverlaps(options.overlap)
    const views = { other, found: overlaps && new Set(overlaps.map(({ item }) => item)) }
    if (json) {
      const { describeScores } = await import('../score-summary.ts')
      console.log(JSON.stringify(describeScores(exam, scores, views)))
    } else {
      const { printScores } = await import('../score-views.ts')
      for (const line of printScores(exam, scores, views)) console.log(line)
    }
    if (options.report !== undefined) {
      const { writeFileAtomic } = await import('../../base/files.ts')
      const { buildExaminationReport } = await import('../../report/examination-report.ts')
      const { examinationOf } = await import('../../report/scored-examination.ts')
      await writeFileAtomic(options.report, buildExaminationReport(examinationOf(exam, scores, overlaps)).html)
      if (!json) console.log(options.report)
    }
    return 0
  },
})

function toReading(name: string, option: string): ReadingName {
  const found = readingNames.find((known) => known === name)
  if (found !== undefined) return found
  const near = nearest(name, readingNames)
  const hint = near === undefined ? `Known are ${readingNames.join(', ')}.` : `Did you mean ${near}?`
  throw new UserError(`${option} ${name}: no such reading. ${hint}`, { status: 2 })
}

/** Systems of the same name get their number. */
function nameApart<T extends { name: string }>(systems: T[], files: readonly string[]): T[] {
  const names = systems.map(({ name }) => name)
  if (new Set(names).size === names.length || files.length < 2) return systems
  return systems.map((system, i) => ({ ...system, name: `${system.name} ${i + 1}` }))
}

// `meikai exam` without an action: from options to an examination, its estimate, its progress, its table and report.

import { basename, join } from 'node:path'
import { writeFileAtomic } from '../base/files.ts'
import { formatCount } from '../base/format.ts'
import type { RunEvent } from '../base/progress.ts'
import type { LocatedOverlap } from '../data/exam-overlap.ts'
import type { AskingCost } from '../exam/cost.ts'
import { type Exam, openExam } from '../exam/exam.ts'
import { loadAnswers, type RecordedAnswer } from '../exam/recorded.ts'
import type { Way } from '../exam/records.ts'
import { type SystemScore, scoreSystem } from '../exam/score.ts'
import {
  type ExaminationResult,
  type ExaminationSettings,
  estimateExamination,
  examinationFiles,
  runExamination,
} from '../pipeline/examination.ts'
import { type ExamOptions, readPrices, readSettings, required } from './exam-settings.ts'
import { followRun } from './follow-run.ts'
import { describeScores } from './score-summary.ts'
import { printScores } from './score-views.ts'

/** @returns the exit status. */
export async function examineByOptions(options: ExamOptions): Promise<number> {
  const name = required(options, 'exam', 'which exam')
  const model = required(options, 'model', 'which model')
  const { data, years, json } = options
  const exam = await openExam(name, { data, years: years?.split(','), textOnly: options['text-only'] })
  const settings = await readSettings(options, exam, model)
  const prices = readPrices(options)
  const cost = await estimateExamination(settings, prices)
  if (options['dry-run']) {
    console.log(json ? JSON.stringify({ type: 'estimate', ...cost }) : describeCost(cost))
    return 0
  }
  const out = required(options, 'out', 'where the records go')
  const overlaps =
    options.overlap === undefined
      ? undefined
      : await (await import('../data/overlap-search.ts')).loadOverlaps(options.overlap)
  process.stderr.write(`${describeCost(cost)}\n`)

  let result: ExaminationResult | undefined
  async function* follow(signal: AbortSignal): AsyncGenerator<RunEvent> {
    result = yield* runExamination(settings, out, signal)
  }
  const status = await followRun(follow, { json: false, output: process.stderr })
  if (status !== 0 || result === undefined) return status

  const asked: Exam = {
    ...exam,
    answerCue: settings.prompts.template.answerCue,
    items: [...settings.items],
    ...(settings.items.length < exam.items.length && { wholeYears: [] }),
  }
  const scores = await scoreAll(asked, settings, out)
  await writeReport(asked, scores, result, join(out, examinationFiles.report), overlaps)
  const views = { other: undefined, found: overlaps && new Set(overlaps.map(({ item }) => item)) }
  if (json) console.log(JSON.stringify({ ...describeScores(asked, scores, views), cost, hosts: result.hosts, out }))
  else for (const line of printScores(asked, scores, views)) console.log(line)
  process.stderr.write(`The report: ${join(out, examinationFiles.report)}\n`)
  return 0
}

function describeCost({ calls, promptTokens, newTokens, price }: AskingCost): string {
  const tokens = `about ${formatCount(promptTokens)} tokens to read, at most ${formatCount(newTokens)} to write`
  return `${formatCount(calls)} calls, ${tokens}${price === undefined ? '' : `, at most ${price.toFixed(2)} at the prices given`}.`
}

/** A way's score; `way` is that of the answers, and missing where options were weighed. */
type WayScore = SystemScore & { way?: Way }

/** Each way is a system of its own, read from the records as anybody would read them. */
async function scoreAll(exam: Exam, settings: ExaminationSettings, out: string): Promise<WayScore[]> {
  const { model, ways } = settings
  const name = 'folder' in model ? basename(model.folder) : model.model
  const load = async (ofWays: boolean, file: string) => (ofWays ? loadAnswers(join(out, file)) : [])
  const written = await load(
    ways.some((way) => way !== 'rank'),
    examinationFiles.answers,
  )
  const weighed = await load(ways.includes('rank'), examinationFiles.ranked)
  const score = (answers: RecordedAnswer[], way: string) =>
    scoreSystem(exam, { name: `${name} ${way}`, answers }, exam.description.reading)
  return [
    ...written.map(({ answers }): WayScore => {
      const way = answers[0]?.way ?? 'answer'
      return { ...score(answers, way), way }
    }),
    ...weighed.map(({ answers }) => score(answers, 'rank')),
  ]
}

async function writeReport(
  exam: Exam,
  scores: readonly SystemScore[],
  { hosts }: ExaminationResult,
  file: string,
  overlaps: readonly LocatedOverlap[] | undefined,
): Promise<void> {
  const { buildExaminationReport } = await import('../report/examination-report.ts')
  const { examinationOf } = await import('../report/scored-examination.ts')
  const input = examinationOf(exam, scores, overlaps)
  const contacted = hosts.length === 0 ? 'Hosts contacted: none.' : `Hosts contacted: ${hosts.join(', ')}.`
  const { html } = buildExaminationReport({ ...input, notes: [...input.notes, contacted] })
  await writeFileAtomic(file, html)
}

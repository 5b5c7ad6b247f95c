// What meikai judge does: asks, keeps every verdict at once, and says how far judges agree.
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { UserError } from '../base/errors.ts'
import { formatPercent } from '../base/format.ts'
import { openExam } from '../exam/exam.ts'
import { checkExplanation } from '../exam/explanations.ts'
import { agreementOf, type Explained, type Judgement, judgeExplanations, loadJudgeTemplate } from '../exam/judge.ts'
import { loadAnswers } from '../exam/recorded.ts'
import type { ExamItem } from '../exam/records.ts'
import { scoreSystem } from '../exam/score.ts'
import { openSampler } from '../pipeline/examination.ts'
import { loadVerdicts } from '../preference/verdicts.ts'
import { openJournal } from '../runs/journal.ts'
import type { Sampler } from '../sampler/sampler.ts'
import { wilsonInterval } from '../stats/intervals.ts'

export interface JudgeRun {
  exam: string
  data?: string | undefined
  answers: string
  model: string
  endpoints: string[]
  'key-variable'?: string | undefined
  template?: string | undefined
  verdicts?: string | undefined
  out: string
  json?: boolean | undefined
}

const shippedTemplate = fileURLToPath(new URL('../../prompts/judge-ja.yaml', import.meta.url))
const judgeTokens = 512

/** Carries the command out; returns the exit status. */
export async function judgeAnswers(run: JudgeRun): Promise<number> {
  const exam = await openExam(run.exam, { data: run.data })
  const template = await loadJudgeTemplate(run.template ?? shippedTemplate)
  const [system, ...others] = await loadAnswers(run.answers)
  if (system === undefined || others.length > 0) {
    throw new UserError(
      `${run.answers}: holds answers given at once beside explained ones. Give a file of the explained ones.`,
    )
  }
  // What was recorded without its way was explained: nothing else is judged.
  const answers = system.answers.map((answer) => ({ ...answer, way: 'explain' as const }))
  const { scored } = scoreSystem(exam, { name: system.name, answers }, exam.description.reading)
  const explained = scored.flatMap(({ item, answer, reading }) =>
    answer === undefined ? [] : [{ item, id: item.id, output: answer.output, ...reading }],
  )
  const judged = await askAll(run, explained, new Map(exam.items.map((item) => [item.id, item])), template)
  const ids = new Set(explained.map(({ id }) => id))
  const byJudge = new Map(
    judged.flatMap(({ id, sound }) => (sound === null || !ids.has(id) ? [] : [[id, sound] as const])),
  )
  const byRule = new Map(
    explained.flatMap((one): [string, boolean][] => {
      const { support } = checkExplanation(one, one.item)
      return support === 'follows' || support === 'contradicts' ? [[one.id, support === 'follows']] : []
    }),
  )
  const byPeople = new Map(
    run.verdicts === undefined
      ? []
      : (await loadVerdicts(run.verdicts)).map(({ pair, verdict }): [string, boolean] => [pair, verdict === 'accept']),
  )
  const result = {
    type: 'judged',
    file: run.out,
    explanations: explained.length,
    unread: judged.filter(({ id, sound }) => sound === null && ids.has(id)).length,
    sound: [...byJudge.values()].filter(Boolean).length,
    judged: byJudge.size,
    interval: wilsonInterval([...byJudge.values()].filter(Boolean).length, byJudge.size),
    judgeAndPeople: agreementOf(byJudge, byPeople),
    ruleAndPeople: agreementOf(byRule, byPeople),
    judgeAndRule: agreementOf(byJudge, byRule),
  }
  if (run.json) console.log(JSON.stringify(result))
  else for (const line of describe(result)) console.log(line)
  return 0
}

async function askAll(
  run: JudgeRun,
  explained: readonly Explained[],
  items: ReadonlyMap<string, ExamItem>,
  template: Awaited<ReturnType<typeof loadJudgeTemplate>>,
): Promise<Judgement[]> {
  const journal = await openJournal<Judgement>(run.out)
  const judged = [...journal.records]
  try {
    const done = new Set(judged.map(({ id }) => id))
    const left = explained.filter(({ id }) => !done.has(id))
    if (left.length === 0) return judged
    const sampler = await openJudge(run)
    try {
      const settings = {
        maxTokens: judgeTokens,
        temperature: 0,
        topP: 1,
        topK: 0,
        stopTokens: [],
        stopStrings: [],
        seed: 0,
      }
      const conversation = run.endpoints.length > 0
      const options = { sampler, template, items, settings, conversation }
      for await (const judgement of judgeExplanations(left, options, new AbortController().signal)) {
        await journal.append(judgement)
        judged.push(judgement)
      }
    } finally {
      await sampler.close()
    }
    return judged
  } finally {
    await journal.close()
  }
}

function openJudge({ model, endpoints, 'key-variable': keyVariable }: JudgeRun): Promise<Sampler> {
  if (endpoints.length === 0) return openSampler({ folder: model, threads: availableParallelism(), sequences: 16 })
  return openSampler({
    endpoints: endpoints.map((url) => ({ url, concurrency: 16, ...(keyVariable !== undefined && { keyVariable }) })),
    model,
    api: 'chat',
    dialect: 'plain',
    samplesPerCall: 1,
    timeoutSeconds: 600,
    attempts: 5,
  })
}

type Compared = ReturnType<typeof agreementOf>

function describe(result: {
  file: string
  explanations: number
  unread: number
  sound: number
  judged: number
  interval: { low: number; high: number } | undefined
  judgeAndPeople: Compared
  ruleAndPeople: Compared
  judgeAndRule: Compared
}): string[] {
  const { sound, judged, unread, interval, file } = result
  const share =
    interval === undefined
      ? 'no verdict that could be read'
      : `${formatPercent(sound / judged)} sound (${sound} of ${judged}, ${formatPercent(interval.low)} to ${formatPercent(interval.high)})`
  const compared: [string, Compared][] = [
    ['judge and people', result.judgeAndPeople],
    ['rule (the answer follows) and people', result.ruleAndPeople],
    ['judge and rule', result.judgeAndRule],
  ]
  return [
    `${result.explanations} explanations: ${share}${unread > 0 ? `; ${unread} verdicts could not be read` : ''}`,
    ...compared.flatMap(([name, { items, agreement }]) => {
      if (items === 0) return []
      if (agreement === undefined) return [`${name}: ${items} in common, all in one category: no kappa`]
      const { observed, kappa, low, high } = agreement
      return [
        `${name}: ${items} in common, ${formatPercent(observed)} agree, kappa ${kappa.toFixed(2)} (${low.toFixed(2)} to ${high.toFixed(2)})`,
      ]
    }),
    file,
  ]
}

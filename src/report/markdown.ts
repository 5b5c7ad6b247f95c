// report.md: the finding and the tables, for a terminal, a model card or a pull request.
import { formatDuration } from '../base/format.ts'
import { WAY_NAMES } from './exam-sections.ts'
import { interval, MISSING, measure, percent, points, pValue, rate } from './numbers.ts'
import type { PageContent } from './page.ts'
import type { ReportInput } from './report-input.ts'
import { type Difference, WAYS, type WaySummary } from './summary.ts'

/** The report's tables in Markdown. */
export function printMarkdown(input: ReportInput, { finding, limits, exam, trainings }: PageContent): string {
  const variants = Object.entries(exam.variants)
  const parts = [`# ${escaped(input.run.name)}: meikai report`, escaped(finding)]
  if (exam.items > 0) {
    parts.push(
      `## Answering and explaining`,
      table(
        ['Variant', 'Answering at once', 'Explaining first', 'Drop, points', 'McNemar'],
        variants.map(([name, { answer, explain, drop }]) => [
          name,
          accuracy(answer),
          accuracy(explain),
          difference(drop),
          pValue(drop?.p),
        ]),
      ),
      `${exam.items} questions; intervals 95 %.${exam.chance === null ? '' : ` Chance: ${percent(exam.chance)}.`}`,
      `## Outputs that cannot be used`,
      table(
        ['Variant', 'Asked', 'Unreadable', 'Run-on', 'Truncated', 'Characters'],
        variants.flatMap(([name, variant]) =>
          WAYS.flatMap((way) => {
            const one = variant[way]
            if (one === undefined) return []
            const { items, unreadable, runOn, truncated, meanCharacters } = one
            return [
              [
                name,
                WAY_NAMES[way],
                ...[unreadable, runOn, truncated].map((count) => rate(count, items)),
                measure(meanCharacters),
              ],
            ]
          }),
        ),
      ),
    )
  }
  const explained = variants.flatMap(([name, { explanations }]) => (explanations ? [{ name, ...explanations }] : []))
  if (explained.length > 0) {
    parts.push(
      `## Explanations`,
      table(
        ['Variant', 'The answer follows', 'Not clear', 'Characters', 'Loops'],
        explained.map(({ name, answers, supports, followShare, followInterval, meanCharacters, loops }) => [
          name,
          `${percent(followShare)} (${supports.follows}/${supports.follows + supports.contradicts}; ${interval(followInterval)})`,
          rate(supports.unclear, answers),
          measure(meanCharacters),
          rate(loops, answers),
        ]),
      ),
    )
  }
  if (exam.flagged !== null) {
    parts.push(`## Questions found in the texts`, `${exam.flagged.length} of ${exam.items} questions.`)
    if (exam.flagged.length > 0) {
      parts.push(
        table(
          ['Variant', 'Answering, all', 'Answering, without', 'Explaining, all', 'Explaining, without'],
          variants.map(([name, { answer, explain, unflagged }]) =>
            [name].concat([answer, unflagged?.answer, explain, unflagged?.explain].map(accuracy)),
          ),
        ),
      )
    }
  }
  const kinds = [...new Set(variants.flatMap(([, variant]) => Object.keys(variant.kinds)))]
  if (kinds.length > 0) {
    parts.push(
      `## By kind of question`,
      table(
        ['Kind, answering / explaining', ...variants.map(([name]) => name)],
        kinds.map((kind) => [
          kind,
          ...variants.map(([, { kinds }]) => WAYS.map((way) => percent(kinds[kind]?.[way]?.accuracy)).join(' / ')),
        ]),
      ),
    )
  }
  if (trainings.length > 0) {
    const sets = [...new Set(trainings.flatMap(({ evaluationLoss }) => Object.keys(evaluationLoss)))]
    parts.push(
      `## Loss before and after`,
      table(
        ['Stage', 'Steps', 'Training', ...sets],
        trainings.map(({ stage, steps, trainingLoss, evaluationLoss }) => [
          stage,
          String(steps),
          change(trainingLoss),
          ...sets.map((set) => change(evaluationLoss[set])),
        ]),
      ),
    )
  }
  const changed = input.trainings.flatMap(({ stage, changes = [] }) =>
    changes.map((change) => `- ${stage}: ${change}.`),
  )
  if (changed.length > 0) parts.push('## What fewer bits changed', changed.join('\n'))
  const preferences = trainings.filter(({ preference }) => preference !== undefined)
  if (preferences.length > 0) {
    parts.push(
      `## Log-probabilities of the pairs`,
      table(
        ['Stage', 'Chosen, nats', 'Rejected, nats', 'Margin', 'Told apart'],
        preferences.map(({ stage, preference }) => [
          stage,
          change(preference!.chosenLogProbability),
          change(preference!.rejectedLogProbability),
          change(preference!.margin),
          percent(preference!.accuracy.after),
        ]),
      ),
    )
  }
  if (input.pairs.length > 0) {
    parts.push(
      `## Preference pairs`,
      table(
        ['Stage', 'Round', 'Questions', 'Samples', 'Pairs used'],
        input.pairs.map(({ stage, round, questions, samples, used }) =>
          [stage, round, questions, samples, used].map(String),
        ),
      ),
    )
  }
  parts.push(
    `## Time`,
    table(
      ['Stage', 'Time'],
      input.stages.map(({ id, seconds }) => [id, formatDuration(seconds)]),
    ),
    `Hosts contacted: ${input.run.hosts.length === 0 ? 'none' : input.run.hosts.map(escaped).join(', ')}. Seed ${input.run.seed}.`,
    `## What this does not show`,
    limits.map((limit) => `- ${escaped(limit)}`).join('\n'),
  )
  return `${parts.join('\n\n')}\n`
}

function accuracy(way: WaySummary | undefined): string {
  if (!way) return MISSING
  return `${percent(way.accuracy)} (${way.correct}/${way.items}; ${interval(way.interval)})`
}

function difference(drop: Difference | undefined): string {
  return drop ? `${points(drop.difference)} (${interval(drop.interval)})` : MISSING
}

function change(values: { before: number; after: number } | null | undefined): string {
  return values ? `${measure(values.before)} → ${measure(values.after)}` : MISSING
}

function table(head: string[], rows: string[][]): string {
  const line = (cells: string[]) => `| ${cells.map(escaped).join(' | ')} |`
  return [line(head), `|${head.map((_, index) => (index === 0 ? '---|' : '--:|')).join('')}`, ...rows.map(line)].join(
    '\n',
  )
}

/** Text that cannot break a table or become markup. */
function escaped(text: string): string {
  return text.replace(/\s+/g, ' ').replace(/[\\|`*_[\]<>]/g, '\\$&')
}

// The report's sections on training: learning curves, the preference objectives side by side, texts as training goes on.
import { rangeOf } from '../base/extremes.ts'
import { formatCount } from '../base/format.ts'
import { drawCurves, type Series, type SeriesStyle } from './charts.ts'
import { type BeforeAfter, type Curve, lossCurves, preferenceCurves, type TrainingSummary } from './curves.ts'
import { groupBy } from './grouping.ts'
import { html, languageOf, type Markup } from './markup.ts'
import { decimals } from './numbers.ts'
import type { ReportInput, ReportProbe, ReportTraining } from './report-input.ts'

const TRAINING_STYLE: SeriesStyle = { color: 'var(--muted)', faint: true }
const HELD_OUT_STYLES: readonly SeriesStyle[] = [
  { color: 'var(--answer)', dots: true },
  { color: 'var(--chosen)', dots: true, dash: '5,3' },
  { color: 'var(--rejected)', dots: true, dash: '2,2' },
]
const GENERAL_STYLE: SeriesStyle = { color: 'var(--explain)', dots: true, dash: '6,3' }

export function learningSection(input: ReportInput, summaries: TrainingSummary[]): Markup {
  if (input.trainings.length === 0) return html`<p class="empty">Nothing was trained in this run.</p>`
  const sets = [...new Set(input.trainings.flatMap((training) => lossCurves(training).map(({ name }) => name)))]
  const styles = new Map(sets.map((name) => [name, styleOfSet(name, sets)]))
  return html`
<ul class="legend">${sets.map((name) => html`<li>${swatch(styles.get(name)!)}${name}</li>`)}</ul>
<div class="charts">${input.trainings.map((training) => {
    const curves = lossCurves(training)
    return html`<figure><figcaption>${training.title}</figcaption>
${
  curves.length === 0
    ? html`<p class="empty">No step was recorded.</p>`
    : drawCurves({
        label: `Loss of ${training.title} over its steps`,
        yLabel: 'loss',
        series: curves.map(({ name, points }) => ({ points, style: styles.get(name)! })),
      })
}</figure>`
  })}</div>
${lossTable(summaries)}
${changeList(input.trainings)}`
}

/** What rounding to 16 bits, and to 4 for training, changed: the model that is examined is not quite the one that learnt. */
function changeList(trainings: readonly ReportTraining[]): Markup | false {
  const changed = trainings.filter(({ changes = [] }) => changes.length > 0)
  if (changed.length === 0) return false
  return html`<h3>What fewer bits changed</h3>
<ul>${changed.flatMap(({ title, changes = [] }) => changes.map((change) => html`<li>${title}: ${change}.</li>`))}</ul>`
}

function styleOfSet(name: string, sets: string[]): SeriesStyle {
  if (name === 'training') return TRAINING_STYLE
  if (name === 'general') return GENERAL_STYLE
  const others = sets.filter((set) => set !== 'training' && set !== 'general')
  return HELD_OUT_STYLES[others.indexOf(name) % HELD_OUT_STYLES.length]!
}

function swatch({ color, dash, dots, faint }: SeriesStyle): Markup {
  return html`<svg width="26" height="12" aria-hidden="true"><path d="M0,6H26" stroke="${color}" stroke-width="${faint ? 1.25 : 2}"${dash ? html` stroke-dasharray="${dash}"` : ''}/>${dots && html`<circle cx="13" cy="6" r="3" fill="${color}"/>`}</svg>`
}

function lossTable(summaries: TrainingSummary[]): Markup {
  return html`<table class="grouped"><caption>Loss before and after</caption>
<thead><tr><th scope="col">Stage</th><th scope="col" class="words">Loss on</th><th scope="col">Before</th><th scope="col">After</th></tr></thead>
${summaries.map((summary) =>
  changeRows(
    html`${summary.title}<small>${formatCount(summary.steps)} steps<span class="more">, ${formatCount(summary.tokens)} tokens</span></small>`,
    [
      ['training', summary.trainingLoss, 3],
      ...Object.entries(summary.evaluationLoss).map(([set, loss]): Change => [set, loss, 3]),
    ],
  ),
)}</table>
<p class="note">Training: mean of the first and of the last tenth of the steps. Others are held-out sets, before the first and after the last step; a general loss that rises is forgetting. Losses of different objectives do not compare.</p>`
}

type Change = [name: string, values: BeforeAfter | null, digits: number]

function changeRows(title: Markup, changes: Change[]): Markup {
  return html`<tbody>${changes.map(
    ([name, values, digits], index) => html`
<tr>${index === 0 && html`<th scope="rowgroup" rowspan="${changes.length}">${title}</th>`}<th scope="row" class="words">${name}</th><td>${decimals(values?.before, digits)}</td><td>${decimals(values?.after, digits)}</td></tr>`,
  )}</tbody>`
}

const CHOSEN_STYLE: SeriesStyle = { color: 'var(--chosen)' }
const REJECTED_STYLE: SeriesStyle = { color: 'var(--rejected)', dash: '6,3' }
const MARGIN_STYLE: SeriesStyle = { color: 'var(--answer)' }
const LENGTH_STYLE: SeriesStyle = { color: 'var(--answer)', dots: true }

export function preferenceSection(input: ReportInput, summaries: TrainingSummary[]): Markup {
  const trainings = input.trainings.filter((training) => preferenceCurves(training, 'margin').length > 0)
  if (trainings.length === 0) return html`<p class="empty">No stage of this run trained on preference pairs.</p>`
  const rows = [
    {
      title: 'Log-probability of chosen and rejected, nats a response',
      series: (training: ReportTraining) => [
        ...bothSets(preferenceCurves(training, 'chosenLogProbability'), CHOSEN_STYLE),
        ...bothSets(preferenceCurves(training, 'rejectedLogProbability'), REJECTED_STYLE),
      ],
    },
    {
      title: 'Margin (β times what chosen gained over rejected)',
      baseline: 0,
      series: (training: ReportTraining) => bothSets(preferenceCurves(training, 'margin'), MARGIN_STYLE),
    },
    {
      title: 'Length of what the model writes to the fixed questions, characters',
      baseline: 0,
      series: (training: ReportTraining) => probeLengths(input.probes, training.stage),
    },
  ]
  return html`
<ul class="legend"><li>${swatch(CHOSEN_STYLE)}chosen</li><li>${swatch(REJECTED_STYLE)}rejected</li><li>faint: each step’s own pairs, strong: held-out pairs</li></ul>
${rows.map((row) => preferenceRow(row, trainings))}
${preferenceTable(summaries)}
<p class="note">All charts of a row share their scales. Without the NLL term (DPO) the margin can grow while both log-probabilities fall, the chosen one’s too; the term holds the chosen ones up. That is the reason for RPO.</p>`
}

interface PreferenceRow {
  title: string
  baseline?: number
  series: (training: ReportTraining) => Series[]
}

function preferenceRow({ title, baseline, series }: PreferenceRow, trainings: ReportTraining[]): Markup | false {
  const drawn = trainings.map((training) => ({ training, series: series(training) }))
  const points = drawn.flatMap((one) => one.series.flatMap((each) => each.points))
  if (points.length === 0) return false
  const [, lastStep] = rangeOf(points.map(({ step }) => step))
  const values = points.map(({ value }) => value).concat(baseline ?? [])
  return html`<h3>${title}</h3>
<div class="charts">${drawn.map(
    (one) => html`<figure><figcaption>${one.training.title}</figcaption>
${drawCurves({
  label: `${title}: ${one.training.title}`,
  yLabel: '',
  series: one.series,
  xDomain: [0, lastStep],
  yDomain: rangeOf(values),
  ...(baseline === undefined ? {} : { baseline }),
})}</figure>`,
  )}</div>`
}

/** Held-out pairs strong, the step's own faint; the step's own strong where nothing was held out. */
function bothSets(curves: Curve[], style: SeriesStyle): Series[] {
  const heldOut = curves.filter(({ name }) => name !== 'training')
  return curves.map(({ name, points }) => ({
    points,
    style: name === 'training' ? { ...style, faint: heldOut.length > 0 } : { ...style, dots: true },
  }))
}

/** Mean length of the fixed questions' texts at each step of a stage. */
function probeLengths(probes: ReportProbe[], stage: string): Series[] {
  const lengths = new Map<number, number[]>()
  for (const probe of probes) {
    if (probe.stage !== stage) continue
    lengths.set(probe.step, [...(lengths.get(probe.step) ?? []), [...probe.text].length])
  }
  const points = [...lengths].map(([step, values]) => ({
    step,
    value: values.reduce((total, value) => total + value, 0) / values.length,
  }))
  return points.length === 0 ? [] : [{ points: points.sort((a, b) => a.step - b.step), style: LENGTH_STYLE }]
}

function preferenceTable(summaries: TrainingSummary[]): Markup {
  return html`<table class="grouped"><caption>Preference pairs before and after</caption>
<thead><tr><th scope="col">Stage</th><th scope="col" class="words">Mean of the pairs</th><th scope="col">Before</th><th scope="col">After</th></tr></thead>
${summaries.map((summary) => {
  const { preference } = summary
  if (preference === undefined) return false
  return changeRows(html`${summary.title}<small>${preference.set}</small>`, [
    ['log-probability of chosen', preference.chosenLogProbability, 1],
    ['log-probability of rejected', preference.rejectedLogProbability, 1],
    ['margin', preference.margin, 2],
    ['share told apart', preference.accuracy, 2],
    ['tokens of chosen', preference.chosenTokens, 1],
    ['tokens of rejected', preference.rejectedTokens, 1],
  ])
})}</table>`
}

/** Longer prompts (worked examples before the question) open on demand. */
const MAX_OPEN_PROMPT = 400

function promptText(prompt: string): Markup {
  const text = html`<pre class="prompt text"${languageOf(prompt)}>${prompt}</pre>`
  return prompt.length <= MAX_OPEN_PROMPT ? text : html`<details><summary>The prompt</summary>${text}</details>`
}

export function probesSection({ probes, trainings }: ReportInput): Markup {
  if (probes.length === 0) return html`<p class="empty">No fixed questions were followed through training.</p>`
  const titles = new Map(trainings.map((training) => [training.stage, training.title]))
  const byQuestion = groupBy(probes, ({ question }) => question)
  return html`${[...byQuestion].map(
    ([question, ofQuestion], index) => html`<details${index === 0 ? html` open` : ''}><summary>${question}</summary>
${promptText(ofQuestion[0]!.prompt)}
<table class="probes"><caption>What is written after so many steps of each stage</caption>
<thead><tr><th scope="col">Step</th><th scope="col">Text</th></tr></thead>
${[...groupBy(ofQuestion, ({ stage }) => stage)].map(
  ([stage, ofStage]) =>
    html`<tbody><tr><th scope="colgroup" colspan="2" class="group">${titles.get(stage) ?? stage}</th></tr>${ofStage.map(
      ({ step, text }) => html`
<tr><th scope="row">${formatCount(step)}</th><td class="text"${languageOf(text)}>${text === '' ? html`<i>nothing</i>` : text}</td></tr>`,
    )}</tbody>`,
)}</table></details>`,
  )}`
}

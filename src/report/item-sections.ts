// The report's sections on single questions: the four cells right/wrong, each opening both outputs, and the prompts.
import { formatCount } from '../base/format.ts'
import type { GradedAnswer, Way } from '../exam/records.ts'
import { WAY_NAMES } from './exam-sections.ts'
import { anchor, breakable, html, languageOf, type Markup } from './markup.ts'
import { rate } from './numbers.ts'
import { type FramedPrompts, framePrompts } from './prompt-frames.ts'
import type { ReportInput, ReportItem, ReportVariant } from './report-input.ts'
import { type Cell, cellOf, type ExamSummary, pairById, WAYS } from './summary.ts'

const CELLS: readonly { cell: Cell; marks: string; title: string }[] = [
  { cell: 'rightRight', marks: '✓ ✓', title: 'right both ways' },
  { cell: 'rightWrong', marks: '✓ ✗', title: 'right answering, wrong explaining' },
  { cell: 'wrongRight', marks: '✗ ✓', title: 'wrong answering, right explaining' },
  { cell: 'wrongWrong', marks: '✗ ✗', title: 'wrong both ways' },
]

export function cellsSection(input: ReportInput, exam: ExamSummary): Markup {
  const examined = input.variants.filter(({ name }) => exam.variants[name]?.cells !== undefined)
  if (examined.length === 0) return html`<p class="empty">No variant was examined both ways on the same questions.</p>`
  const items = new Map(input.items.map((item) => [item.id, item]))
  return html`<table class="cells">
<caption>Questions by right and wrong: first mark answering, second explaining</caption>
<thead><tr><th scope="col">Variant</th>${CELLS.map(({ marks, title }) => html`<th scope="col"><span aria-hidden="true">${marks}</span><span class="unseen">${title}</span></th>`)}</tr></thead>
<tbody>${examined.map(({ name }) => {
    const cells = exam.variants[name]!.cells!
    const total = CELLS.reduce((sum, { cell }) => sum + cells[cell], 0)
    return html`
<tr><th scope="row">${breakable(name)}</th>${CELLS.map(({ cell, title }) => html`<td><a href="#${anchor('cell', name, cell)}" aria-label="${`${cells[cell]} ${title}, ${name}`}">${cells[cell]}</a><small>${rate(cells[cell], total)}</small></td>`)}</tr>`
  })}
</tbody></table>
<p class="filter" hidden><label>Show only questions that contain <input type="search" autocomplete="off"></label> <span role="status"></span></p>
${examined.map((variant) => variantCells(variant, items))}`
}

function variantCells({ name, answers }: ReportVariant, items: Map<string, ReportItem>): Markup {
  const pairs = pairById(answers.answer!, answers.explain!)
  return html`<details class="variant"><summary>${name}</summary>
${CELLS.map(({ cell, marks, title }) => {
  const inside = pairs.filter(([answering, explaining]) => cellOf(answering, explaining) === cell)
  return html`<details id="${anchor('cell', name, cell)}"><summary><span class="marks" aria-hidden="true">${marks}</span> ${title} <small>${inside.length}</small></summary>
${inside.length === 0 && html`<p class="empty">No question.</p>`}${inside.map((both) => card(both, items))}</details>`
})}</details>
`
}

function card([answering, explaining]: [GradedAnswer, GradedAnswer], items: Map<string, ReportItem>): Markup {
  const item = items.get(answering.id)
  return html`
<article class="card"><p class="head"><a href="#${anchor('item', answering.id)}">${answering.id}</a>${item?.kind !== undefined && html` <small>${item.kind}</small>`}</p>${item && html`<p class="text"${languageOf(item.question)}>${item.question}</p><p class="gold">Right: ${goldText(item)}</p>`}<div class="both">${outputOf(answering)}${outputOf(explaining)}</div></article>`
}

function outputOf(answer: GradedAnswer): Markup {
  return html`<div><p class="head"><span class="key ${answer.way}"></span>${WAY_NAMES[answer.way]} <b class="${answer.correct ? 'right' : 'wrong'}">${answer.correct ? '✓ right' : '✗ wrong'}</b>${answer.class !== 'answered' && html` <span class="badge">${answer.class}</span>`}</p><p class="text output"${languageOf(answer.output)}>${markedOutput(answer)}</p><p class="reason">${answer.reason}</p></div>`
}

/** The output with the place where its answer was read marked. */
function markedOutput({ output, span }: GradedAnswer): Markup {
  if (output === '') return html`<i>nothing</i>`
  if (span === undefined) return elided(output, SHOWN_BEFORE, SHOWN_AFTER)
  const [start, end] = span
  return html`${elided(output.slice(0, start), SHOWN_BEFORE, SHOWN_AFTER)}<mark>${output.slice(start, end)}</mark>${elided(output.slice(end), SHOWN_AFTER, 0)}`
}

/** Outputs that run on would make the page too large to open; the run's own files have them whole. */
const SHOWN_BEFORE = 900
const SHOWN_AFTER = 400

/** A text's first and last characters, with the number of those left out between them. */
function elided(text: string, first: number, last: number): Markup {
  const characters = [...text]
  const leftOut = characters.length - first - last
  if (leftOut <= 0) return html`${text}`
  const end = last === 0 ? '' : characters.slice(-last).join('')
  return html`${characters.slice(0, first).join('')} <span class="badge">${formatCount(leftOut)} characters left out</span> ${end}`
}

function goldText({ gold, options }: ReportItem): string {
  const named = (letter: string) => {
    const option = options.length === 0 ? undefined : options[letter.codePointAt(0)! - 97]
    return option === undefined ? letter : `${letter} ${option}`
  }
  return gold.map((letters) => letters.map(named).join(' + ')).join(' or ')
}

export function promptsSection({ items }: ReportInput): Markup {
  const framed = Object.fromEntries(
    WAYS.map((way) => [
      way,
      framePrompts(
        new Map(items.flatMap(({ id, prompts }) => (prompts?.[way] === undefined ? [] : [[id, prompts[way]]]))),
      ),
    ]),
  ) as Record<Way, FramedPrompts>
  return html`<details><summary>All ${items.length} questions with their prompts</summary>
${WAYS.map((way) => frameText(way, framed[way]))}
${items.map((item) => itemCard(item, framed))}</details>`
}

function frameText(way: Way, { opening, closing, middles }: FramedPrompts): Markup | false {
  if (middles.size === 0 || (opening === '' && closing === '')) return false
  return html`<p>Every prompt for ${WAY_NAMES[way]}; the mark stands for the question’s own part below:</p>
<pre class="prompt text"${languageOf(opening + closing)}>${opening}<mark>question</mark>${closing}</pre>`
}

function itemCard(item: ReportItem, framed: Record<Way, FramedPrompts>): Markup {
  const middles = WAYS.map((way) => ({ way, text: framed[way].middles.get(item.id) })).filter(
    ({ text }) => text !== undefined,
  )
  const same = middles.length === 2 && middles[0]!.text === middles[1]!.text
  const shown = same ? [{ way: undefined, text: middles[0]!.text }] : middles
  return html`
<article class="card" id="${anchor('item', item.id)}"><p class="head"><b>${item.id}</b>${item.kind !== undefined && html` <small>${item.kind}</small>`}</p>${
    shown.length === 0
      ? html`<p class="text"${languageOf(item.question)}>${item.question}</p><p class="text">${item.options.map((option, index) => `${String.fromCharCode(97 + index)} ${option}`).join('\n')}</p>`
      : shown.map(
          ({ way, text }) =>
            html`${way !== undefined && html`<p class="head">${WAY_NAMES[way]}</p>`}<pre class="prompt text"${languageOf(text ?? '')}>${text}</pre>`,
        )
  }<p class="gold">Right: ${goldText(item)}</p></article>`
}

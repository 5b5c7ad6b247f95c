// The tables of an examination's report: systems, years with pass marks, classes, comparisons, explanations, flagged items.
import { formatCount, formatPercent } from '../base/format.ts'
import type { LocatedOverlap } from '../data/exam-overlap.ts'
import { accuracyOf, sharesCases } from '../exam/accuracy.ts'
import { countExplanations } from '../exam/explanation-counts.ts'
import type { PassResult } from '../exam/pass-marks.ts'
import type { Comparison } from '../stats/comparisons.ts'
import type { Interval } from '../stats/intervals.ts'
import type { ExaminationInput, ExaminedItem, ExaminedSystem } from './examination-report.ts'
import { explanationTable } from './explanation-section.ts'
import { breakable, html, type Markup } from './markup.ts'
import { interval, MISSING, percent, points, pValue } from './numbers.ts'
import { foundList } from './overlap-section.ts'

export function systemsSection({ systems }: ExaminationInput): Markup {
  if (systems.length === 0) return html`<p class="empty">No system was examined.</p>`
  const clustered = sharesCases(systems[0]!.scored)
  const passing = systems.some(({ years }) => Object.values(years).some(({ pass }) => pass !== undefined))
  return html`<table class="results"><caption>All items</caption>
<thead><tr><th scope="col">System</th><th scope="col">Right</th><th scope="col">Points</th>${passing && html`<th scope="col">Passes</th>`}</tr></thead>
<tbody>${systems.map(({ name, total, years, scored }) => {
    const judged = Object.values(years).flatMap(({ pass }) => pass ?? [])
    const passed = judged.filter(({ passed }) => passed).length
    return html`
<tr><th scope="row">${breakable(name)}</th><td><span class="figure">${percent(share(total.correct, total.items))}</span><small>${interval(intervalOf(scored))}</small><small>${formatCount(total.correct)} of ${formatCount(total.items)}</small></td><td><span class="figure">${formatCount(total.points)}</span><small>of ${formatCount(total.possible)}</small><small>${percent(share(total.points, total.possible))}</small></td>${passing && html`<td><span class="figure">${judged.length === 0 ? MISSING : passed}</span>${judged.length > 0 && html`<small>of ${judged.length} ${judged.length === 1 ? 'exam' : 'exams'}</small>`}</td>`}</tr>`
  })}
</tbody></table>
<p class="note">Intervals: 95 %, ${clustered ? 'from a bootstrap that draws whole cases, since items share them' : 'Wilson’s'}. Items without an answer count as wrong.</p>`
}

/** By case where items share one. */
function intervalOf(scored: readonly ExaminedItem[]): Interval | undefined {
  const { clustered, wilson } = accuracyOf(scored)
  return clustered ?? wilson
}

export function yearsSection({ systems }: ExaminationInput): Markup {
  const marked = systems.some(({ years }) => Object.values(years).some(({ pass }) => pass !== undefined))
  return html`<table class="grouped results"><caption>Points by year${marked && ', and the marks that passing needs'}</caption>
<thead><tr><th scope="col">System</th><th scope="col" class="words">Year</th><th scope="col">Points</th><th scope="col">Right</th>${marked && html`<th scope="col" class="more">Compulsory</th><th scope="col" class="more">General</th><th scope="col" class="more">Prohibited</th><th scope="col">Result</th>`}</tr></thead>
${systems.map(({ name, years }) => {
  const rows = Object.entries(years)
  return html`<tbody>${rows.map(
    ([year, { points, possible, correct, items, pass }], i) => html`
<tr>${i === 0 && html`<th scope="rowgroup" rowspan="${rows.length}">${breakable(name)}</th>`}<th scope="row" class="words">${year}</th><td>${points}<span class="slight">/${possible}</span></td><td>${correct}<span class="slight">/${items}</span></td>${marked && passCells(pass)}</tr>`,
  )}</tbody>`
})}</table>`
}

function passCells(pass: PassResult | undefined): Markup {
  if (pass === undefined)
    return html`<td class="more">${MISSING}</td><td class="more">${MISSING}</td><td class="more">${MISSING}</td><td>${MISSING}</td>`
  const mark = (one: PassResult['compulsory']) =>
    html`<td class="more">${one === undefined ? MISSING : html`${one.points}<small class="${one.met ? 'right' : 'wrong'}">${one.met ? '✓' : '✗'} needs ${one.needed} of ${one.possible}</small>`}</td>`
  const { prohibited } = pass
  const chosen =
    prohibited === undefined || !prohibited.known
      ? html`<td class="more">not known</td>`
      : html`<td class="more">${prohibited.items}<small class="${prohibited.met ? 'right' : 'wrong'}">${prohibited.met ? '✓' : '✗'} at most ${prohibited.allowed}</small></td>`
  return html`${mark(pass.compulsory)}${mark(pass.general)}${chosen}<td><b class="${pass.passed ? 'right' : 'wrong'}">${pass.passed ? '✓ pass' : '✗ fail'}</b></td>`
}

export function classesSection({ systems }: ExaminationInput): Markup {
  return html`<table class="results"><caption>Share of the items; the classes sum to 100 %</caption>
<thead><tr><th scope="col">System</th><th scope="col">Answered</th><th scope="col" class="words">Otherwise</th></tr></thead>
<tbody>${systems.map(({ name, classes, total }) => {
    const others = Object.entries(classes).filter(([kind, count]) => kind !== 'answered' && count > 0)
    return html`
<tr><th scope="row">${breakable(name)}</th><td><span class="figure">${percent(share(classes.answered ?? 0, total.items))}</span></td><td class="words">${others.length === 0 ? 'nothing' : others.map(([kind, count], i) => html`${i > 0 && ', '}${kind} ${percent(share(count, total.items))} <span class="slight">(${formatCount(count)})</span>`)}</td></tr>`
  })}
</tbody></table>
<p class="note">Run-on: it went on after its answer. Wrong-count: more or fewer letters than asked for. Placeholder: the prompt’s own placeholder in place of an answer. Refused: it says that it cannot or will not answer. Truncated: cut at the limit before it answered. None: nothing that could be read, or no answer at all.</p>`
}

const VERDICTS: Record<Comparison['verdict'], string> = {
  higher: 'the first is better',
  lower: 'the second is better',
  'not-seen': 'no difference seen',
  'too-few': 'too few to say',
}

export function comparisonsSection({ comparisons }: ExaminationInput): Markup {
  return html`<table class="results"><caption>Share right of the first less that of the second, in points, on the same items</caption>
<thead><tr><th scope="col">Systems</th><th scope="col">Difference</th><th scope="col">Result</th></tr></thead>
<tbody>${comparisons.map(
    ({ first, second, difference, adjusted, smallest, verdict }) => html`
<tr><th scope="row">${breakable(first)}<small>against ${breakable(second)}</small></th><td><span class="figure">${points(difference.difference)}</span><small>${interval(difference)}</small></td><td>${VERDICTS[verdict]}<small>${pValue(adjusted)}</small>${smallest !== undefined && html`<small>could see ${points(smallest)}</small>`}</td></tr>`,
  )}
</tbody></table>
<p class="note">Intervals: Newcombe’s for paired shares. p: McNemar’s exact test, adjusted for ${comparisons.length} comparisons by Holm’s method. Could see: the smallest difference that these items show with a power of 80 %.</p>`
}

export function explanationsSection({ systems }: ExaminationInput): Markup {
  return explanationTable(
    systems.map((system) => ({ name: system.name, counts: system.way === 'explain' ? countsOf(system) : undefined })),
  )
}

function countsOf({ scored }: ExaminedSystem) {
  const items = new Map(scored.map(({ item }) => [item.id, item]))
  return countExplanations(
    scored.flatMap(({ item, answer, reading }) =>
      answer === undefined ? [] : [{ id: item.id, way: 'explain', output: answer.output, ...reading }],
    ),
    items,
  )
}

export function flaggedSection({ systems }: ExaminationInput, overlaps: readonly LocatedOverlap[]): Markup {
  const flagged = new Set(overlaps.map(({ item }) => item))
  const items = systems[0]?.scored.length ?? 0
  const count = systems[0]?.scored.filter(({ item }) => flagged.has(item.id)).length ?? 0
  if (count === 0) return html`<p>None of the ${formatCount(items)} items was found in the texts.</p>`
  const cell = (scored: readonly ExaminedItem[]) => {
    const right = scored.filter(({ reading }) => reading.correct).length
    return html`<td><span class="figure">${percent(share(right, scored.length))}</span><small>${interval(intervalOf(scored))}</small><small>${right} of ${scored.length}</small></td>`
  }
  return html`<p>${formatCount(count)} of the ${formatCount(items)} items (${formatPercent(count / items)}) were found in the texts.</p>
<table class="results"><caption>Share right with and without these items</caption>
<thead><tr><th scope="col">System</th><th scope="col">All</th><th scope="col">Without them</th></tr></thead>
<tbody>${systems.map(
    ({ name, scored }) => html`
<tr><th scope="row">${breakable(name)}</th>${cell(scored)}${cell(scored.filter(({ item }) => !flagged.has(item.id)))}</tr>`,
  )}
</tbody></table>
${foundList(overlaps)}`
}

function share(part: number, whole: number): number | null {
  return whole === 0 ? null : part / whole
}

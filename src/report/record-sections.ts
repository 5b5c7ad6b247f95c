// The report's sections of record: preference pairs, settings, sources, versions, hosts, time, and what is not shown.
import { formatCount, formatDuration } from '../base/format.ts'
import { html, languageOf, type Markup } from './markup.ts'
import { decimals, MISSING, percent, rate } from './numbers.ts'
import { framePrompts } from './prompt-frames.ts'
import type { ReportInput, ReportPair, ReportPairs, ReportSource } from './report-input.ts'

/** Pairs shown of each stage; all of them stand in the run's pairs.jsonl. */
export const MAX_SHOWN_PAIRS = 100

export function pairsSection({ pairs }: ReportInput): Markup {
  if (pairs.length === 0) return html`<p class="empty">No preference pairs were made in this run.</p>`
  return html`${pairs.map(pairSet)}`
}

function pairSet(set: ReportPairs): Markup {
  const shown = set.pairs.slice(0, MAX_SHOWN_PAIRS)
  const verdicts = Object.entries(set.verdicts)
  const counted = Object.entries(set.counts).filter(([, count]) => count > 0)
  const none = Object.keys(set.counts).filter((reason) => set.counts[reason] === 0)
  return html`<h3>${set.title} <small>for ${set.variants.join(', ')}</small></h3>
<table class="counts"><caption>${formatCount(set.questions)} questions, ${formatCount(set.samples)} samples, ${formatCount(set.used)} pairs used</caption>
<thead><tr><th scope="col">What became of them</th><th scope="col">Count</th></tr></thead>
<tbody>${counted.map(
    ([reason, count]) => html`
<tr><th scope="row">${wordsOf(reason)}</th><td>${formatCount(count)}</td></tr>`,
  )}${verdicts.map(
    ([verdict, count]) => html`
<tr><th scope="row">reviewers: ${verdict}</th><td>${formatCount(count ?? 0)}</td></tr>`,
  )}
</tbody></table>
<p class="note">${none.length > 0 && `None: ${none.map(wordsOf).join(', ')}.`} ${verdicts.length === 0 ? 'No reviewer’s verdicts.' : describeAgreement(set.agreement)}</p>
${shown.length > 0 && html`<details><summary>Pairs: ${shown.length === set.used ? `all ${set.used}` : `the first ${shown.length} of ${set.used}`}</summary>${pairCards(shown)}</details>`}`
}

/** In words how far reviewers accept what the rule finds to follow. */
function describeAgreement(compared: ReportPairs['agreement']): string {
  if (compared === undefined || compared.items === 0) return ''
  const { items, agreement } = compared
  const what = 'Reviewers accept, and by rule the answer follows from its explanation'
  if (agreement === undefined) return `${what}: ${items} pairs, which one of the two judges all alike: too few to say.`
  const { observed, kappa, low, high } = agreement
  return `${what}: ${percent(observed)} of ${items} pairs agree, Cohen’s kappa ${decimals(kappa, 2)} (95 %: ${decimals(low, 2)} to ${decimals(high, 2)}).`
}

/** questionsWithoutLoser -> 'questions without loser'. */
function wordsOf(name: string): string {
  return name.replace(/[a-z][A-Z]/g, (letters) => `${letters[0]} ${letters[1]!.toLowerCase()}`)
}

function pairCards(pairs: ReportPair[]): Markup {
  const { opening, middles } = framePrompts(new Map(pairs.map(({ id, prompt }) => [id, prompt])))
  return html`${
    opening !== '' &&
    html`<p>Every prompt opens with this:</p>
<pre class="prompt text"${languageOf(opening)}>${opening}</pre>`
  }${pairs.map((pair) => pairCard(pair, middles.get(pair.id)!))}`
}

function pairCard(pair: ReportPair, prompt: string): Markup {
  return html`
<article class="card"><p class="head"><b>${pair.id}</b>${pair.verdict !== undefined && html` <span class="badge">${pair.verdict}</span>`}</p><pre class="prompt text"${languageOf(prompt)}>${prompt}</pre><div class="both"><div><p class="head"><span class="key chosen"></span>chosen <small>${pair.chosenFrom}</small></p><p class="text output"${languageOf(pair.chosen)}>${pair.chosen}</p></div><div><p class="head"><span class="key rejected"></span>rejected <small>${pair.rejectedReason}</small></p><p class="text output"${languageOf(pair.rejected)}>${pair.rejected}</p></div></div></article>`
}

export function recordSection({ run, recipe, stages, variants: all }: ReportInput): Markup {
  const total = stages.reduce((sum, { seconds }) => sum + seconds, 0)
  return html`
<table class="counts"><caption>Time by stage: ${formatDuration(total)} in all</caption>
<thead><tr><th scope="col">Stage</th><th scope="col" class="more words">For</th><th scope="col">Time</th><th scope="col">Share</th></tr></thead>
<tbody>${stages.map(
    ({ id, title, seconds, variants }) => html`
<tr><th scope="row">${title}<small>${id}</small></th><td class="more words">${variants.length === all.length ? 'all' : variants.join(', ')}</td><td>${formatDuration(seconds)}</td><td>${rate(seconds, total)}</td></tr>`,
  )}
</tbody></table>
<h3>Sources and licences</h3>
${run.sources.length === 0 ? html`<p class="empty">The run read no source of its own.</p>` : sourceTable(run.sources)}
<h3>Versions and hosts</h3>
<dl>${[['seed', String(run.seed)], ['threads', String(run.threads)], ...Object.entries(run.versions)].map(
    ([name, value]) => html`
<div><dt>${name}</dt><dd>${value}</dd></div>`,
  )}
<div><dt>hosts contacted</dt><dd>${run.hosts.length === 0 ? 'none: nothing left the machine' : run.hosts.join(', ')}</dd></div></dl>
<details><summary>Every setting of the recipe</summary>
<table class="settings"><caption>The recipe as resolved, defaults included</caption><thead><tr><th scope="col">Setting</th><th scope="col">Value</th></tr></thead>
<tbody>${flattened(recipe).map(
    ([path, value]) => html`
<tr><th scope="row">${path}</th><td class="text">${value}</td></tr>`,
  )}
</tbody></table></details>`
}

function sourceTable(sources: ReportSource[]): Markup {
  return html`<table class="counts sources"><caption>What the run read</caption>
<thead><tr><th scope="col">Source</th><th scope="col" class="words">Licence</th><th scope="col">Documents</th><th scope="col" class="more">Tokens</th></tr></thead>
<tbody>${sources.map(
    ({ name, role, licence, documents, tokens }) => html`
<tr><th scope="row">${name}<small>${role}</small></th><td class="words">${licence ?? 'not stated'}</td><td>${documents === undefined ? MISSING : formatCount(documents)}</td><td class="more">${tokens === undefined ? MISSING : formatCount(tokens)}</td></tr>`,
  )}
</tbody></table>`
}

/** Nested settings as [path, value], in their order; lists of plain values on one line. */
export function flattened(value: unknown, path = ''): [string, string][] {
  if (Array.isArray(value) && value.some((item) => item !== null && typeof item === 'object')) {
    return value.flatMap((item, index) => flattened(item, `${path}[${index}]`))
  }
  if (value !== null && typeof value === 'object' && !Array.isArray(value)) {
    return Object.entries(value).flatMap(([key, item]) => flattened(item, path === '' ? key : `${path}.${key}`))
  }
  if (value === undefined) return []
  return [[path, Array.isArray(value) ? value.join(', ') : String(value)]]
}

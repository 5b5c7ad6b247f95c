// The page's style sheet. Colours are variables, so that charts, dark mode and paper follow one list.
// Blue and orange, green and purple are told apart by every common colour vision; shapes and dashes tell the same.

export const PAGE_STYLE = `
:root {
  color-scheme: light dark;
  --paper: #fdfcfa; --ink: #1d1b18; --muted: #68635b; --line: #e3dfd6; --card: #f5f2eb;
  --answer: #0067a5; --explain: #c04e06; --chosen: #00775a; --rejected: #9c3a76; --mark: #ffe59a; --link: #0b5a8a;
  --right: #00694f; --wrong: #a5301f;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --paper: #171614; --ink: #ebe7df; --muted: #a8a196; --line: #38352f; --card: #22201c;
    --answer: #6db7f2; --explain: #f59b5b; --chosen: #52caa3; --rejected: #e28fc3; --mark: #6a5410; --link: #8cc8f5;
    --right: #5fd0ab; --wrong: #ff9c8a;
  }
}
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; -webkit-text-size-adjust: 100%; }
body {
  margin: 0 auto; padding: 0 1.25rem 5rem; max-width: 58rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, "Hiragino Sans", "Yu Gothic", "Noto Sans JP", "Noto Sans CJK JP", sans-serif;
  overflow-wrap: break-word;
}
a { color: var(--link); text-underline-offset: .15em; }
:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; border-radius: 2px; }
.skip { position: absolute; left: -100rem; } .skip:focus { left: 1rem; top: 1rem; background: var(--paper); padding: .5rem; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
[hidden] { display: none !important; }
header { padding: 3.5rem 0 1rem; }
.eyebrow { margin: 0; color: var(--muted); font-size: .8125rem; letter-spacing: .06em; }
h1 { margin: .1rem 0 1rem; font-size: 2.25rem; line-height: 1.15; letter-spacing: -.02em; font-weight: 700; }
h2 { margin: 0 0 1.25rem; font-size: 1.375rem; line-height: 1.25; letter-spacing: -.01em; }
h3 { margin: 2rem 0 .75rem; font-size: 1rem; } h3 small { display: inline; margin-left: .35em; }
section { margin-top: 3.5rem; padding-top: 1.5rem; border-top: 1px solid var(--line); }
.finding { margin: 0 0 1.75rem; max-width: 44rem; font-size: 1.25rem; line-height: 1.45; text-wrap: pretty; }
.facts, .facts div { display: flex; } .facts { flex-wrap: wrap; gap: .75rem 2rem; margin: 0 0 1.5rem; }
.facts div { flex-direction: column-reverse; }
.facts dt { color: var(--muted); font-size: .8125rem; } .facts dd { margin: 0; font-size: 1.125rem; font-weight: 600; font-variant-numeric: tabular-nums; }
nav ul { display: flex; flex-wrap: wrap; gap: .35rem 1.25rem; margin: 0; padding: 0; list-style: none; font-size: .875rem; }
small { font-size: .8125rem; color: var(--muted); font-weight: 400; }
th small, td small { display: block; line-height: 1.4; white-space: nowrap; } th[scope=row] small { white-space: normal; }
.note, .empty { max-width: 44rem; color: var(--muted); font-size: .875rem; } .empty { font-style: italic; }

table { width: 100%; margin: 1rem 0; border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9375rem; }
caption { padding-bottom: .5rem; text-align: left; color: var(--muted); font-size: .8125rem; }
th, td { padding: .5rem 0 .5rem 1rem; text-align: right; vertical-align: top; border-bottom: 1px solid var(--line); }
td { white-space: nowrap; } td.words, th.words { text-align: left; white-space: normal; }
th:first-child { padding-left: 0; } thead th:first-child, tbody th { text-align: left; }
thead th { vertical-align: bottom; border-bottom-color: var(--muted); color: var(--muted); font-size: .8125rem; font-weight: 500; line-height: 1.3; }
tbody th { font-weight: 600; }
.figure { font-size: 1.0625rem; font-weight: 600; white-space: nowrap; }
.group { padding-top: 1.5rem; color: var(--muted); font-size: .8125rem; font-weight: 500; }
.grouped tbody th:not([rowspan]) { font-weight: 400; padding-left: 1rem; } .rates .way { white-space: nowrap; } .rates td { color: var(--muted); } .rates td.some { color: var(--ink); font-weight: 600; }
.grouped tbody tr:not(:last-child) > :not([rowspan]) { border-bottom-color: transparent; padding-bottom: 0; }
.cells td a { font-size: 1.0625rem; font-weight: 600; } .cells thead th:not(:first-child) { color: var(--ink); letter-spacing: .1em; }
.counts tbody th { font-weight: 400; }
.settings { font-size: .8125rem; } .settings tbody th, .settings td { padding-block: .25rem; font-family: ui-monospace, Menlo, Consolas, monospace; font-weight: 400; text-align: left; } .settings thead th { text-align: left; }
.probes td { text-align: left; width: 100%; } .probes thead th:last-child { text-align: left; } .probes tbody th { text-align: right; font-weight: 400; color: var(--muted); white-space: nowrap; } .probes tbody .group { text-align: left; color: var(--ink); font-weight: 600; }
dl:not(.facts) { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 12rem), 1fr)); gap: .75rem 1.5rem; }
dl:not(.facts) dt { color: var(--muted); font-size: .8125rem; } dl:not(.facts) dd { margin: 0; }

.legend { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; margin: 0 0 .75rem; padding: 0; list-style: none; font-size: .875rem; }
.legend li { display: flex; align-items: center; gap: .5rem; } .legend svg { flex: none; overflow: visible; } .legend li:not(:has(svg)) { color: var(--muted); }
figure { margin: 0; min-width: 0; } .charts figure { display: flex; flex-direction: column; justify-content: space-between; gap: .25rem; } figcaption { font-size: .875rem; font-weight: 600; } figcaption small { margin-left: .35em; }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 17rem), 1fr)); gap: 1.5rem 1.25rem; }
.plot { display: block; width: 100%; max-width: 100%; height: auto; overflow: visible; background: none; }
.plot text { white-space: pre; } .charts .plot { max-width: 30rem; } .charts.wider { grid-template-columns: repeat(auto-fill, minmax(min(100%, 22rem), 1fr)); }
.plot { font-size: 11.5px; } .wide .plot { font-size: 13px; }
.accuracy { margin-bottom: 1.5rem; } .narrow { display: none; }

details { border-bottom: 1px solid var(--line); } details details { margin-left: 1rem; border-bottom: 0; border-top: 1px solid var(--line); }
summary { padding: .6rem 0; cursor: pointer; font-weight: 600; } summary small { margin-left: .35em; font-variant-numeric: tabular-nums; } details details > summary { font-weight: 400; }
details[open] { padding-bottom: 1rem; }
.marks { display: inline-block; min-width: 2.4em; letter-spacing: .1em; }
.filter { display: flex; flex-wrap: wrap; gap: .25rem .75rem; align-items: baseline; font-size: .875rem; }
.filter input { font: inherit; color: inherit; background: var(--card); border: 1px solid var(--muted); border-radius: .25rem; padding: .25rem .5rem; width: 12rem; max-width: 100%; }
.card { margin: .75rem 0; padding: .75rem 1rem; background: var(--card); border-radius: .375rem; font-size: .9375rem; content-visibility: auto; contain-intrinsic-size: auto 14rem; }
.card:target { outline: 2px solid var(--link); } .card p { margin: .25rem 0; } .head { font-size: .8125rem; } .gold { color: var(--muted); font-size: .8125rem; }
.both { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 16rem), 1fr)); gap: .75rem 1.5rem; margin-top: .5rem; }
.both > div { min-width: 0; }
.text, td.text { white-space: pre-wrap; overflow-wrap: anywhere; line-height: 1.6; unicode-bidi: plaintext; }
.output { padding-left: .75rem; border-left: 2px solid var(--line); }
.prompt { margin: .5rem 0; padding: .75rem 1rem; background: var(--card); border-radius: .375rem; font: inherit; font-size: .875rem; line-height: 1.6; } .card .prompt { padding: 0; }
.reason { color: var(--muted); font-size: .8125rem; }
.right { color: var(--right); } .wrong { color: var(--wrong); }
.badge { padding: 0 .4em; border: 1px solid var(--muted); border-radius: .25rem; color: var(--muted); }
mark { background: var(--mark); color: inherit; padding: 0 .1em; border-radius: .15em; }
.key { display: inline-block; width: .6em; height: .6em; margin-right: .4em; border-radius: 50%; background: var(--answer); }
.key.explain { background: var(--explain); border-radius: 0; transform: rotate(45deg) scale(.85); } .key.chosen { background: var(--chosen); } .key.rejected { background: var(--rejected); border-radius: 0; }

@media screen and (max-width: 40rem) {
  body { padding-inline: 1rem; } header { padding-top: 2rem; } h1 { font-size: 1.75rem; } .finding { font-size: 1.125rem; }
  section { margin-top: 2.5rem; } .facts { gap: .75rem 1.5rem; }
  .grouped tbody th:not([rowspan]) { padding-left: .5rem; } .more, .wide { display: none; } .narrow { display: block; }
  table { font-size: .875rem; } th, td { padding-left: .5rem; } th small, td small, caption, thead th { font-size: .75rem; } .figure { font-size: .9375rem; }
  details details { margin-left: .25rem; } .card { padding-inline: .75rem; margin-inline: -.25rem; }
}
@media print {
  @page { margin: 16mm 14mm; }
  :root { --paper: #fff; } html { font-size: 9.5pt; } body { max-width: none; padding: 0; } header { padding-top: 0; } nav, .skip, .filter { display: none; }
  section { margin-top: 1.5rem; padding-top: 1rem; } h2, h3, caption, thead, figcaption, summary, .legend { break-after: avoid; }
  tr, figure, .card, .finding, .grouped tbody { break-inside: avoid; } a { color: inherit; text-decoration: none; }
  .charts { grid-template-columns: repeat(3, 1fr); } .charts.wider { grid-template-columns: repeat(2, 1fr); }
  details.keep::details-content { content-visibility: visible; height: auto; }
  details:not(.keep, [open]) > summary::after { content: " (open on screen)"; color: var(--muted); font-weight: 400; }
}
`

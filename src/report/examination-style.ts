// Style of an examination's page beyond that of every page: filters, and rows of items that open.

export const EXAMINATION_STYLE = `
.slight { color: var(--muted); font-weight: 400; }
.filters { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 9.5rem), 1fr)); gap: .5rem .75rem; margin: 0 0 .75rem; padding: 0; border: 0; min-width: 0; }
.filters label { display: flex; flex-direction: column; gap: .1rem; font-size: .8125rem; color: var(--muted); min-width: 0; }
.filters select, .filters input, .actions button { font: inherit; font-size: .9375rem; color: var(--ink); background: var(--card); border: 1px solid var(--muted); border-radius: .25rem; padding: .3rem .4rem; width: 100%; min-width: 0; }
.actions { display: flex; flex-wrap: wrap; gap: .5rem 1rem; align-items: center; font-size: .875rem; } .actions button { width: auto; cursor: pointer; }
.item summary { display: flex; flex-wrap: wrap; gap: .1rem .75rem; align-items: baseline; padding: .45rem 0; font-weight: 400; }
.item summary b { min-width: 5rem; } .item .gold { min-width: 5.5rem; } .item .verdicts { display: flex; flex-wrap: wrap; gap: 0 .9rem; font-size: .875rem; font-variant-numeric: tabular-nums; }
.item .verdicts span { min-width: 5.4rem; white-space: nowrap; max-width: 12rem; overflow: hidden; text-overflow: ellipsis; }
.item { content-visibility: auto; contain-intrinsic-size: auto 2.4rem; } .item:target { outline: 2px solid var(--link); }
.options { margin: .5rem 0; padding: 0; list-style: none; } .options .gold { color: var(--right); font-size: 1em; font-weight: 600; }
@media screen and (max-width: 40rem) { .item summary b { min-width: 4.5rem; } .item .verdicts { width: 100%; gap: 0 .6rem; } .item .verdicts span { min-width: 3.1rem; } }
@media print { .filters, .actions { display: none; } .item { content-visibility: visible; break-inside: avoid-page; } .item:not([open]) > summary::after { content: "" !important; } }
`

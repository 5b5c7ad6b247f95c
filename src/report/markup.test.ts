import { describe, expect, it } from 'vitest'
import { anchor, breakable, escapeText, html, languageOf, Markup } from './markup.ts'

describe('html', () => {
  it('escapes text, keeps markup, joins lists, leaves out what is not there', () => {
    const bold = html`<b>${'1 < 2'}</b>`
    expect(html`<p>${bold}${['a&b', '"c"']}${false}${null}${undefined}${0}</p>`.text).toBe(
      '<p><b>1 &lt; 2</b>a&amp;b&quot;c&quot;0</p>',
    )
  })

  it('lets no text become an element or end an attribute', () => {
    const attack = `"><script>alert(1)</script>'`
    expect(html`<a title="${attack}">${attack}</a>`.text).not.toMatch(/<script|"">|'/)
  })

  it('shows control characters as pictures, tab and line feed as they are', () => {
    expect(escapeText('a\u0000b\u001bc\td\ne')).toBe('a\u2400b\u241bc\td\ne')
  })
})

describe('anchor', () => {
  it('keeps distinct names distinct and holds only characters that ids and links can', () => {
    const names = ['CPT+RPO', 'CPT-RPO', 'CPT RPO', '医療', '医学', 'a"b']
    const ids = names.map((name) => anchor('cell', name))
    expect(new Set(ids).size).toBe(names.length)
    for (const id of ids) expect(id).toMatch(/^[A-Za-z0-9_-]+$/)
  })
})

describe('languageOf', () => {
  it.each([
    ['答えはアである', ' lang="ja"'],
    ['カタカナ', ' lang="ja"'],
    ['an answer', undefined],
    ['漢字', undefined],
    ['', undefined],
  ])('%s', (text, expected) => {
    expect(languageOf(text) || undefined).toEqual(expected === undefined ? undefined : new Markup(expected))
  })
})

describe('breakable', () => {
  it.each([
    ['CPT', 'CPT'],
    ['CPT+winners', 'CPT+<wbr>winners'],
    ['RPO without CPT', 'RPO <wbr>without <wbr>CPT'],
    ['<b>+x', '&lt;b&gt;+<wbr>x'],
    ['', ''],
  ])('%s', (name, expected) => {
    expect(breakable(name)).toEqual(new Markup(expected))
  })

  it('loses no character', () => {
    const name = 'a-very_long/name.of+a variant without any end in sight'
    expect(breakable(name).text.replaceAll('<wbr>', '')).toBe(name)
  })
})

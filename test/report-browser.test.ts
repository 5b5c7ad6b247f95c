// The report in a real browser: no error, no request, no sideways scrolling on a phone, everything opens.
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildReport } from '../src/report/report.ts'
import { exampleInput } from './report-example.ts'

const EXECUTABLE = process.env.MEIKAI_CHROMIUM ?? '/usr/bin/chromium'
const present = existsSync(EXECUTABLE)

// Expressions for the page, as text: the project compiles without a browser's types.
const OPEN_ALL = `for (const details of document.querySelectorAll('details')) details.open = true
for (const card of document.querySelectorAll('.card')) card.style.contentVisibility = 'visible'`

/** Half of the page's margin is spared for cards, which reach into it. */
const ELEMENTS_PAST_THE_EDGE = `[...document.querySelectorAll('main *')]
  .filter((element) => element.getBoundingClientRect().right > innerWidth - 8 && !element.closest('svg, .unseen'))
  .map((element) => element.outerHTML.slice(0, 80))`

/** Texts whose contrast with their ground is under 4.5 to 1 (WCAG 2.2, AA). */
const POOR_CONTRASTS = `(() => {
  const luminance = (color) => {
    const [r, g, b] = color.match(/[\\d.]+/g).map((value) => {
      const share = value / 255
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
    })
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
  }
  const groundOf = (element) => {
    for (let node = element; node; node = node.parentElement) {
      const { backgroundColor } = getComputedStyle(node)
      if (backgroundColor !== 'rgba(0, 0, 0, 0)') return backgroundColor
    }
    return 'rgb(255, 255, 255)'
  }
  const found = new Set()
  for (const element of document.querySelectorAll('body *:not(svg, svg *, script)')) {
    if (![...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== '')) continue
    const [text, ground] = [luminance(getComputedStyle(element).color), luminance(groundOf(element))]
    const contrast = (Math.max(text, ground) + 0.05) / (Math.min(text, ground) + 0.05)
    if (contrast < 4.5) found.add(element.tagName + '.' + element.className + ' ' + contrast.toFixed(2))
  }
  return [...found]
})()`

describe.skipIf(!present)(
  present ? 'report.html in Chromium' : `report.html in Chromium (skipped: no ${EXECUTABLE})`,
  () => {
    let folder: string
    let browser: Browser
    let address: string

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'meikai-report-'))
      const input = exampleInput(3, 40)
      input.variants[5]!.name = 'a-variant-with-a-name-longer-than-any-phone-is-wide'
      await writeFile(join(folder, 'report.html'), buildReport(input).html)
      address = pathToFileURL(join(folder, 'report.html')).href
      browser = await chromium.launch({
        executablePath: EXECUTABLE,
        args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
      })
    })

    afterAll(async () => {
      await browser?.close()
      await rm(folder, { recursive: true, force: true })
    })

    /** Opens the page, and collects what it complains of and what it asks for. */
    async function open(options: {
      width: number
      script?: boolean
      hash?: string
    }): Promise<{ page: Page; events: string[] }> {
      const context = await browser.newContext({
        viewport: { width: options.width, height: 800 },
        javaScriptEnabled: options.script ?? true,
      })
      const page = await context.newPage()
      const events: string[] = []
      page.on('console', (message) => events.push(`console: ${message.text()}`))
      page.on('pageerror', (error) => events.push(`error: ${error.message}`))
      page.on('request', (request) => events.push(`request: ${request.url()}`))
      await page.goto(address + (options.hash ?? ''))
      return { page, events }
    }

    it.each([1200, 360])('is quiet and no wider than a screen of %d pixels, all of it opened', async (width) => {
      const { page, events } = await open({ width })
      await page.evaluate(OPEN_ALL)
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width)
      expect(await page.evaluate(ELEMENTS_PAST_THE_EDGE)).toEqual([])
      expect(events).toEqual([`request: ${address}`])
      await page.context().close()
    })

    it('opens a cell’s questions from its count, and filters them', async () => {
      const { page } = await open({ width: 1200 })
      const questions = page.locator('#cell-CPT-rightWrong .card')
      const count = Number(await page.locator('a[href="#cell-CPT-rightWrong"]').textContent())
      expect(count).toBeGreaterThan(0)
      expect(await questions.first().isVisible()).toBe(false)
      await page.click('a[href="#cell-CPT-rightWrong"]')
      await questions.first().waitFor({ state: 'visible' })
      expect(await questions.count()).toBe(count)
      const wanted = (await questions.first().locator('.head a').first().textContent())!
      await page.fill('.filter input', wanted)
      expect(await questions.filter({ visible: true }).count()).toBe(1)
      await page.fill('.filter input', '')
      expect(await questions.filter({ visible: true }).count()).toBe(count)
      await page.context().close()
    })

    it('opens what an address points into', async () => {
      const { page } = await open({ width: 1200, hash: '#item-m003' })
      await page.locator('#item-m003').waitFor({ state: 'visible' })
      await page.context().close()
    })

    it('shows and opens everything without its script', async () => {
      const { page } = await open({ width: 1200, script: false })
      expect(await page.locator('.filter').isVisible()).toBe(false)
      const summary = page.locator('#cells details.variant > summary').first()
      await summary.click()
      await page
        .locator('#cells details.variant details > summary')
        .last()
        .click({ trial: false, force: true })
        .catch(() => undefined)
      const cell = page.locator('#cells details.variant details', { has: page.locator('.card') }).first()
      await cell.locator('> summary').click()
      expect(await cell.locator('.card').first().isVisible()).toBe(true)
      await page.context().close()
    })

    it('is operated by the keyboard, and shows where it is', async () => {
      const { page } = await open({ width: 1200 })
      await page.keyboard.press('Tab')
      expect(await page.evaluate('document.activeElement.className')).toBe('skip')
      const summary = page.locator('#cells details.variant > summary').first()
      await summary.focus()
      await page.keyboard.press('Enter')
      expect(await page.locator('#cells details.variant').first().getAttribute('open')).not.toBeNull()
      await page.context().close()
    })

    it.each(['light', 'dark'] as const)('has text of enough contrast in %s', async (colorScheme) => {
      const { page } = await open({ width: 1200 })
      await page.emulateMedia({ colorScheme })
      await page.evaluate(OPEN_ALL)
      expect(await page.evaluate(POOR_CONTRASTS)).toEqual([])
      await page.context().close()
    })

    it('prints: tables opened, long lists of questions left to the screen', async () => {
      const { page } = await open({ width: 1200 })
      await page.emulateMedia({ media: 'print' })
      expect(await page.locator('#accuracy details.keep table').isVisible()).toBe(true)
      expect(await page.locator('#cells .card').first().isVisible()).toBe(false)
      expect((await page.pdf({ format: 'A4' })).length).toBeGreaterThan(10_000)
      await page.context().close()
    })
  },
)

// Takes the README's picture of a report: node docs/images/take-picture.mjs runs/quickstart/report/report.html
// Chromium is looked for at MEIKAI_CHROMIUM, then /usr/bin/chromium.
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { chromium } from 'playwright-core'

const [report] = process.argv.slice(2)
if (report === undefined) {
  console.error('Which report? node docs/images/take-picture.mjs runs/quickstart/report/report.html')
  process.exit(2)
}
const browser = await chromium.launch({
  executablePath: process.env.MEIKAI_CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
})
const page = await browser.newPage({
  viewport: { width: 980, height: 1400 },
  colorScheme: 'light',
  deviceScaleFactor: 1.5,
})
await page.goto(pathToFileURL(resolve(report)).href)
// The title, the finding, the chart and the table: the sections list is of no use in a picture.
await page.addStyleTag({
  content: 'nav { display: none } header { padding-top: 1.5rem } section { margin-top: .5rem }',
})
const height = await page.evaluate(
  `document.querySelector('#accuracy table').getBoundingClientRect().bottom + scrollY + 16`,
)
await page.screenshot({
  path: new URL('report.png', import.meta.url).pathname,
  clip: { x: 0, y: 0, width: 980, height },
  fullPage: true,
})
await browser.close()

// npm test: style and import rules, types, tests; all three even where one fails. Arguments go to the test runner.
// The last line is `N passed, N failed, N skipped`; a failed check counts as one failed.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const folder = mkdtempSync(join(tmpdir(), 'meikai-test-'))
const resultFile = join(folder, 'result.json')
const failedChecks = ['style and import rules', 'types'].filter((check) => !passes(check))

console.log('\n— tests')
const { status } = runTool('vitest/vitest.mjs', [
  'run',
  '--reporter=default',
  '--reporter=json',
  `--outputFile.json=${resultFile}`,
  ...process.argv.slice(2),
])
const counts = readCounts()
rmSync(folder, { recursive: true, force: true })

for (const check of failedChecks) console.log(`${check}: failed, see above`)
if (status !== 0 && counts.failed === 0) {
  console.log('the test runner ended with an error, see above')
  counts.failed++
}
const failed = counts.failed + failedChecks.length
console.log(`${counts.passed} passed, ${failed} failed, ${counts.skipped} skipped`)
process.exitCode = failed === 0 && counts.passed > 0 ? 0 : 1

function passes(check) {
  console.log(`\n— ${check}`)
  const [tool, args] =
    check === 'types'
      ? ['typescript/bin/tsc', ['-p', '.']]
      : ['@biomejs/biome/bin/biome', ['check', '--error-on-warnings', '.']]
  const { status } = runTool(tool, args)
  if (status === 0 && check === 'types') console.log('No type errors.')
  return status === 0
}

function runTool(tool, args) {
  return spawnSync(process.execPath, [join('node_modules', tool), ...args], { stdio: 'inherit' })
}

/** How many tests passed, failed, were skipped; a file that could not be loaded is one failed. */
function readCounts() {
  try {
    const result = JSON.parse(readFileSync(resultFile, 'utf8'))
    const broken = result.testResults.filter((file) => file.status === 'failed' && file.assertionResults.length === 0)
    return {
      passed: result.numPassedTests,
      failed: result.numFailedTests + broken.length,
      skipped: result.numPendingTests + result.numTodoTests,
    }
  } catch {
    return { passed: 0, failed: 1, skipped: 0 } // it did not get as far as writing a result
  }
}

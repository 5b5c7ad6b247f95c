// The quickstart on several seeds, mean and spread, and which claims hold: `seeds 0,1,2,3,4`; finished ones are kept.
import { join } from 'node:path'
import { readJson } from '../src/base/files.ts'
import { followRun } from '../src/cli/follow-run.ts'
import { table } from '../src/cli/table.ts'
import type { Way } from '../src/exam/records.ts'
import { runRecipe } from '../src/pipeline/run.ts'
import { loadRecipe } from '../src/recipe/recipe.ts'
import type { ReportNumbers } from '../src/report/report.ts'
import { accuracyPoints, checkClaims } from '../test/miniature-claims.ts'

const [list = '0,1,2,3,4', recipeFile = 'recipes/quickstart.yaml'] = process.argv.slice(2)
const seeds = list.split(',')
const ways: Way[] = ['answer', 'explain']

const reports: ReportNumbers[] = []
for (const seed of seeds) {
  const overrides = [`seed=${seed}`, `name=quickstart-seed-${seed}`]
  const { recipe } = await loadRecipe(recipeFile, { overrides })
  const status = await followRun((signal) => runRecipe(recipe, { runsFolder: join('runs', 'seeds'), signal }), {
    json: false,
  })
  if (status !== 0) process.exit(status)
  reports.push((await readJson(join('runs', 'seeds', recipe.name, 'report', 'report.json'))) as ReportNumbers)
}

const variants = Object.keys(reports[0]?.variants ?? {})
const kinds = [undefined, 'two-hop']
for (const kind of kinds) {
  console.log(
    `\n${kind ?? 'All'} questions, accuracy in %: mean ± spread (sample standard deviation) over ${seeds.length} seeds`,
  )
  const rows = variants.flatMap((variant) =>
    ways.map((way) => {
      const points = reports.map((report) => accuracyPoints(report, variant, way, kind))
      return [
        variant,
        way,
        `${mean(points).toFixed(1)} ± ${spread(points).toFixed(1)}`,
        ...points.map((one) => one.toFixed(1)),
      ]
    }),
  )
  for (const line of table(['variant', 'way', 'mean', ...seeds.map((seed) => `seed ${seed}`)], rows)) console.log(line)
}

console.log('\nClaims: points to spare on each seed; what fails is marked')
const claims = reports.map(checkClaims)
const rows = (claims[0] ?? []).map(({ claim }, i) => [
  claim,
  ...claims.map((each) => `${(each[i]?.spare ?? Number.NaN).toFixed(1)}${each[i]?.holds ? '' : ' FAILS'}`),
])
for (const line of table(['claim', ...seeds.map((seed) => `seed ${seed}`)], rows)) console.log(line)
process.exitCode = claims.flat().every(({ holds }) => holds) ? 0 : 1

function mean(values: number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

function spread(values: number[]): number {
  if (values.length < 2) return Number.NaN
  const middle = mean(values)
  return Math.sqrt(values.reduce((sum, value) => sum + (value - middle) ** 2, 0) / (values.length - 1))
}

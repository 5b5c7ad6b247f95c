// npm run bench -- NAME: runs one of the measurements in this folder; without a name, lists them.
import { readdirSync, readFileSync } from 'node:fs'
import { nearest } from '../src/base/nearest.ts'

const own = 'bench.ts'
const names = readdirSync(import.meta.dirname)
  .filter((file) => file.endsWith('.ts') && file !== own)
  .map((file) => file.slice(0, -'.ts'.length))
const [name] = process.argv.splice(2, 1) // what follows the name is the measurement's own

if (name !== undefined && names.includes(name) && process.argv.includes('--help')) {
  console.log(descriptionOf(name))
} else if (name !== undefined && names.includes(name)) {
  await import(`./${name}.ts`)
} else {
  const near = name === undefined ? undefined : nearest(name, names)
  if (name !== undefined) console.log(`No measurement ${name}.${near === undefined ? '' : ` Did you mean ${near}?`}\n`)
  console.log('npm run bench -- NAME\n')
  for (const each of names) console.log(`  ${each.padEnd(12)}${descriptionOf(each)}`)
  process.exitCode = name === undefined ? 0 : 2
}

/** The first line of the file, which says what it measures. */
function descriptionOf(each: string): string {
  return (
    readFileSync(`${import.meta.dirname}/${each}.ts`, 'utf8')
      .split('\n', 1)[0]
      ?.replace(/^\/\/ /, '') ?? ''
  )
}

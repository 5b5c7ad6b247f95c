// npm run test:kill -- --times 100: the kill test as often as asked.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { killAndCompare } from './kill.ts'

const { values } = parseArgs({
  options: { times: { type: 'string', default: '20' }, seed: { type: 'string', default: '0' } },
})
const times = Number(values.times)
const folder = await mkdtemp(join(tmpdir(), 'meikai-kill-'))
try {
  const { differences, compared } = await killAndCompare({
    recipe: fileURLToPath(new URL('./recipe.yaml', import.meta.url)),
    name: 'kill',
    folder,
    times,
    seed: Number(values.seed),
    onKill: ({ number, stage }) => console.log(`kill ${number} of ${times}: in ${stage}`),
  })
  for (const name of differences) console.log(`differs: ${name}`)
  console.log(`${times} kills, ${compared} files and curves compared, ${differences.length} differ`)
  process.exitCode = differences.length === 0 ? 0 : 1
} finally {
  await rm(folder, { recursive: true, force: true })
}

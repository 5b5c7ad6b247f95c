// Starting time: `meikai --help` beside `node -e 0`, medians of 10 in turn.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const runs = 10
const commands: Record<string, string[]> = {
  'node -e 0': ['-e', '0'],
  'meikai --help': [fileURLToPath(new URL('../bin/meikai.js', import.meta.url)), '--help'],
}
const times = new Map<string, number[]>(Object.keys(commands).map((name) => [name, []]))
for (let i = 0; i < runs; i++) {
  for (const [name, args] of Object.entries(commands)) {
    const start = performance.now()
    const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
    times.get(name)?.push(performance.now() - start)
    if (status !== 0) throw new Error(`${name} ended with status ${status}: ${stderr}`)
  }
}
console.log('command        median ms   from    to')
for (const [name, all] of times) {
  const sorted = all.sort((a, b) => a - b)
  const median = ((sorted[runs / 2 - 1] ?? 0) + (sorted[runs / 2] ?? 0)) / 2
  const cells = [median, sorted[0] ?? 0, sorted.at(-1) ?? 0].map((value, i) =>
    value.toFixed(0).padStart(i === 0 ? 9 : 4),
  )
  console.log(`${name.padEnd(13)}  ${cells.join('  ')}`)
}

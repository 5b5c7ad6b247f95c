// Starting time: `meikai --help` beside `node -e 0`, medians of 10 in turn.
import { meikai, timeCommands } from './sides/commands.ts'
import { median } from './sides/comparison.ts'

const times = timeCommands({ 'node -e 0': ['-e', '0'], 'meikai --help': [meikai, '--help'] }, 10)
console.log('command        median ms   from    to')
for (const [name, all] of times) {
  const cells = [median(all), Math.min(...all), Math.max(...all)].map((value, i) =>
    value.toFixed(0).padStart(i === 0 ? 9 : 4),
  )
  console.log(`${name.padEnd(13)}  ${cells.join('  ')}`)
}

// Merges an adapter and prints the most memory that the process ever had, in bytes: a process of its own, for merge-memory.test.ts.
import { readFileSync } from 'node:fs'
import { mergeAdapter } from '../src/engine/merging/merge.ts'

const [model, adapter, output] = process.argv.slice(2) as [string, string, string]
await mergeAdapter(model, adapter, output, {
  formOf: (name) => (name.endsWith('proj.weight') ? 'nf4' : undefined),
  threads: 2,
})
console.log(1024 * Number(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]))

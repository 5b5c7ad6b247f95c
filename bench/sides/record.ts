// Tables of comparisons in docs/benchmarks.md, with the machine and the date.
import { appendFile, readFile } from 'node:fs/promises'
import { cpus, totalmem } from 'node:os'
import { join } from 'node:path'
import { formatBytes } from '../../src/base/format.ts'
import { measureMatrixRate } from '../../src/runtime/matrix-rate.ts'
import { threads } from './programs.ts'

const root = join(import.meta.dirname, '../..')
const file = join(root, 'docs', 'benchmarks.md')

/** The machine in one line, with its float32 matrix rate now; without that where the machine is quiet for the sides alone. */
export async function describeMachine(quiet = true): Promise<string> {
  const rate = quiet
    ? `; float32 matrix products: ${((await measureMatrixRate(threads)) / 1e9).toFixed(0)} GFLOP/s`
    : ''
  const onnxRuntime = JSON.parse(await readFile(join(root, 'node_modules/onnxruntime-node/package.json'), 'utf8'))
  return `${threads} cores of ${cpus()[0]?.model.trim()}, ${formatBytes(totalmem())}, Node ${process.versions.node}, ONNX Runtime ${onnxRuntime.version}${rate}`
}

/** Adds a table at the end of docs/benchmarks.md: what was done before it, `lines` after it. */
export async function appendTable(
  title: string,
  done: string,
  { head, rows, lines }: { head: readonly string[]; rows: readonly (readonly string[])[]; lines: readonly string[] },
): Promise<void> {
  const row = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  const table = [row(head), `|${head.map(() => '---|').join('')}`, ...rows.map(row)]
  await appendFile(file, `\n## ${title}\n\n${[done, '', ...table, '', ...lines].join('\n')}\n`)
}

export const today = (): string => new Date().toISOString().slice(0, 10)

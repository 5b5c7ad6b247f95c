// This repository as JavaScript, for tests that start many processes: each starts in half the time that tsx takes for it.
import { execFileSync } from 'node:child_process'
import { symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
/** What programs look for beside src/. */
const beside = ['node_modules', 'package.json', 'environments', 'exams', 'prompts']

/** Compiles into a folder of the caller's, in about a second; gives the compiled file of each of the repository's .ts files. */
export function compileRepository(folder: string): (file: string) => string {
  const compiler = join(root, 'node_modules/typescript/bin/tsc')
  // Types are another check's business.
  const options = ['--noEmit', 'false', '--noCheck', '--rootDir', root, '--outDir', folder]
  execFileSync(process.execPath, [compiler, '-p', root, ...options])
  for (const name of beside) symlinkSync(join(root, name), join(folder, name))
  return (file) => join(folder, file.replace(/\.ts$/, '.js'))
}

// What the command line does where nobody can read what it prints: it ends, with a status that says so and no stack.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { expect, it } from 'vitest'

function help(output: string): { status: string; errors: string } {
  const line = `"$0" --import tsx src/cli/main.ts --help ${output}; echo "\${PIPESTATUS[0]}"`
  const { stdout, stderr } = spawnSync('bash', ['-c', line, process.execPath], { encoding: 'utf8' })
  return { status: stdout.trim(), errors: stderr }
}

it('ends as other programs do when its reader has seen enough', () => {
  expect(help('| true')).toEqual({ status: '141', errors: '' })
})

it.skipIf(!existsSync('/dev/full'))('says in a line that standard output cannot be written', () => {
  const { status, errors } = help('> /dev/full')
  expect(status).toBe('1')
  expect(errors).toMatch(/^meikai: standard output cannot be written \(ENOSPC[^\n]*\n$/)
})

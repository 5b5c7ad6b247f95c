// Displays and Ctrl-C as a user meets them: on a real terminal, in a pipe, as JSON Lines.
import { spawnSync } from 'node:child_process'
import { resolve } from 'node:path'
import { describe, expect, test } from 'vitest'

const root = resolve(import.meta.dirname, '..')
const player = [process.execPath, '--import', 'tsx', 'test/cli-display.fixture.ts']
const escapeCharacter = '\u001b'
const hasTerminal = spawnSync('python3', ['-c', 'import pty']).status === 0

describe.skipIf(!hasTerminal)('on a terminal (needs python3 to make one)', () => {
  test('finished stages stand, the one at work is redrawn in place', () => {
    const { output, status } = onTerminal([])
    expect(status).toBe(0)
    const lines = screen(output)
    expect(lines).toEqual([
      'meikai demo, in /runs/demo: 3 stages, 1 of them done',
      'changed: pretrain.learningRate: 0.001 -> 0.002',
      'runs again: pretrain, examine',
      '✓ 2/3 pretrain  2.0 s  loss 2.000',
      '! examine: one answer ran on',
      '✓ 3/3 examine  1.0 s  2 answers',
      'done in 6.0 s. The report: /runs/demo/report/report.html',
    ])
    expect(output).toMatch(/step \d+ of 40 \(\d+ %\) · [\d.]+ s left · loss 2\.\d+ · 10,000 tokens\/s/)
    expect(output).toContain('問：痛風の原因はどれか。')
  })

  test('Ctrl-C ends cleanly, and says how to go on', () => {
    const { output, status } = onTerminal([['of 40', '^C']])
    expect(status).toBe(130)
    expect(output).toContain('finishing: saving a checkpoint')
    expect(screen(output).at(-1)).toBe('stopped. Run it again to go on from here.')
  })

  test('a second Ctrl-C ends at once, and gives the cursor back', () => {
    const { output, status, seconds } = onTerminal(
      [
        ['of 40', '^C'],
        ['finishing', '^C'],
      ],
      '--stubborn',
    )
    expect(status).toBe(-2) // ended by the signal itself, which a shell shows as 130
    expect(seconds).toBeLessThan(20) // the checkpoint would take a minute
    expect(output.lastIndexOf(`${escapeCharacter}[?25h`)).toBeGreaterThan(output.lastIndexOf(`${escapeCharacter}[?25l`))
  })
})

test('in a pipe: plain lines, no control characters', () => {
  const { stdout, status } = play()
  expect(status).toBe(0)
  expect(stdout.split('\n').filter((line) => line !== '')).toEqual([
    'meikai demo, in /runs/demo: 3 stages, 1 of them done',
    'changed: pretrain.learningRate: 0.001 -> 0.002',
    'runs again: pretrain, examine',
    '2/3 pretrain  2.0 s  loss 2.000',
    'warning: examine: one answer ran on',
    '3/3 examine  1.0 s  2 answers',
    'done in 6.0 s. The report: /runs/demo/report/report.html',
  ])
})

test('with --json: every event on a line of its own', () => {
  const { stdout } = play('--json')
  const events = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(events.filter(({ type }) => type === 'training')).toHaveLength(42)
  expect(events.at(0)).toMatchObject({ type: 'run-start', name: 'demo' })
  expect(events.at(-1)).toMatchObject({ type: 'run-end', report: '/runs/demo/report/report.html' })
  expect(Date.parse(events[0].time)).toBeLessThanOrEqual(Date.now())
})

function play(...options: string[]) {
  const [command = '', ...rest] = player
  return spawnSync(command, [...rest, ...options], { cwd: root, encoding: 'utf8' })
}

function onTerminal(script: [string, string][], ...options: string[]) {
  const { stdout, stderr } = spawnSync(
    'python3',
    ['test/terminal.py', JSON.stringify(script), '--', ...player, ...options],
    { cwd: root, encoding: 'utf8' },
  )
  if (stdout === '') throw new Error(stderr)
  return JSON.parse(stdout) as { output: string; status: number; seconds: number }
}

/** The lines that stand on the screen in the end, for the few control sequences that the display uses. */
function screen(output: string): string[] {
  const lines: string[] = ['']
  let row = 0
  let column = 0
  const sequence = new RegExp(`${escapeCharacter}\\[([\\d;?]*)([A-Za-z])|\\r|\\n|[^${escapeCharacter}\\r\\n]+`, 'g')
  for (const [part, count, kind] of output.matchAll(sequence)) {
    if (part === '\n') {
      row++
      lines[row] ??= ''
    } else if (part === '\r' || kind === 'G') column = 0
    else if (kind === 'A') row -= Number(count || 1)
    else if (kind === 'K') lines[row] = ''
    else if (kind === 'J') lines.splice(row, lines.length, '')
    else if (kind === undefined) {
      lines[row] = (lines[row] ?? '').slice(0, column) + part
      column += part.length
    }
  }
  return lines.map((line) => line.trimEnd()).filter((line) => line !== '')
}

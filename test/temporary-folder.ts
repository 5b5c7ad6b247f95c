// Every temporary folder of a run of tests lies in one, which goes with the run, whatever a test that failed left there.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'

/** Short: browsers put sockets below it, whose paths may have no more than 107 characters. */
const prefix = 'tests-'

export default function setUp(): (() => void) | undefined {
  const before = tmpdir()
  if (basename(before).startsWith(prefix)) return undefined // of this run already: each project of vitest's comes here
  const folder = mkdtempSync(join(before, prefix))
  process.env.TMPDIR = folder
  return () => rmSync(folder, { recursive: true, force: true })
}

// Stand-ins for the programs that the doctor asks.
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'

export async function writeProgram(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, `#!/bin/bash\n${text}\n`)
  await chmod(path, 0o755)
}

/** A Python whose pip lists these packages. */
export function writePackages(environment: string, packages: Record<string, string>): Promise<void> {
  const list = Object.entries(packages).map(([name, version]) => ({ name, version }))
  return writeProgram(`${environment}/bin/python`, `echo '${JSON.stringify(list)}'`)
}

// A run that is killed at twenty random moments ends in the same bits as one that never was.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { killAndCompare } from './kill/kill.ts'

it('ends in the same bits however often it is killed', { timeout: 300_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'meikai-kill-'))
  try {
    const { kills, differences, compared } = await killAndCompare({
      recipe: fileURLToPath(new URL('./kill/recipe.yaml', import.meta.url)),
      name: 'kill',
      folder,
      times: 20,
      seed: 1,
    })
    expect(differences).toEqual([])
    expect(kills).toHaveLength(20)
    expect(new Set(kills.map(({ stage }) => stage)).size).toBeGreaterThan(8)
    expect(compared).toBeGreaterThan(40)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})

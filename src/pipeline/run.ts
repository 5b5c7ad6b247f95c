// Running a recipe: stage by stage, keeping what is done, going on with what was interrupted.
import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { internal, UserError } from '../base/errors.ts'
import { writeJson } from '../base/files.ts'
import type { RunEvent } from '../base/progress.ts'
import type { Recipe } from '../recipe/recipe.ts'
import { InputHashes } from '../runs/input-hashes.ts'
import { lockFolder } from '../runs/lock.ts'
import { describeOutputs, readManifest, removeStage, startedName, writeManifest } from '../runs/manifest.ts'
import { expandStages } from './expand.ts'
import { hasWeights, listInput } from './inputs.ts'
import { type Inspection, inspectStage, type PlannedStage, type StageKey } from './plan.ts'
import { besideServer } from './server-events.ts'
import type { Stage, StageOutcome, StageVariants, StageWork, Tools } from './stage.ts'
import { describeDownload, downloadedModel } from './stages/download.ts'
import { reportFiles } from './stages/report.ts'
import { openTools } from './tools.ts'
import { versions } from './versions.ts'

export interface RunOptions {
  /** Holds a folder a run; 'runs' when left out. */
  runsFolder?: string
  /** What does the work; the embedded engine and sampler when left out. */
  tools?: Tools
  /** Aborting it saves a checkpoint and ends the run with the signal's reason. */
  signal?: AbortSignal
}

export interface RunPlan {
  name: string
  /** The run's folder, absolute. */
  folder: string
  stages: PlannedStage[]
  variants: StageVariants
  /** What to know before it runs: damaged stages, stages made by other versions. */
  warnings: string[]
}

/** What would run and why, without running or writing anything. */
export async function planRecipe(recipe: Recipe, options: Pick<RunOptions, 'runsFolder'> = {}): Promise<RunPlan> {
  const run = await openRun(recipe, options)
  return describePlan(run, await inspectAll(run))
}

/**
 * Runs a recipe to its report, and tells what happens. Run again, it keeps what is done, runs what a changed setting or
 * file concerns, and goes on with what was interrupted.
 * @throws UserError when the folder is in use, or something cannot be done; the signal's reason when it is aborted.
 */
export async function* runRecipe(recipe: Recipe, options: RunOptions = {}): AsyncGenerator<RunEvent> {
  const startedAt = performance.now()
  const signal = options.signal ?? new AbortController().signal
  const run = await openRun(recipe, options)
  const unlock = await lockFolder(run.folder)
  try {
    const inspections = await inspectAll(run)
    await run.hashes.save()
    const plan = await describePlan(run, inspections)
    const stages = plan.stages.map(({ id, state, reasons }) => ({ id, state, reasons }))
    yield { type: 'run-start', name: recipe.name, folder: run.folder, stages }
    for (const message of plan.warnings) yield { type: 'warning', message }
    const tools = options.tools ?? (await openTools(recipe, run.folder, signal))
    try {
      for (const [i, stage] of run.stages.entries()) {
        signal.throwIfAborted()
        yield* runStage(run, stage, i, inspections, tools, signal)
      }
    } finally {
      await tools.close?.()
    }
    const seconds = (performance.now() - startedAt) / 1000
    yield { type: 'run-end', name: recipe.name, seconds, report: join(run.folder, 'report', reportFiles.html) }
  } finally {
    await unlock()
  }
}

interface OpenRun {
  recipe: Recipe
  folder: string
  stages: Stage[]
  variants: StageVariants
  hashes: InputHashes
}

async function openRun(recipe: Recipe, { runsFolder = 'runs' }: Pick<RunOptions, 'runsFolder'>): Promise<OpenRun> {
  const folder = resolve(runsFolder, recipe.name)
  const weights = await hasWeights(recipe)
  if (weights && recipe.model.tokenizer !== undefined) {
    throw new UserError(
      `model.tokenizer: ${recipe.model.folder} has weights, and a model is read together with its own tokenizer. Put tokenizer.json and tokenizer_config.json there, and leave the setting out.`,
    )
  }
  const { stages, variants } = expandStages(recipe, weights)
  return { recipe, folder, stages, variants, hashes: new InputHashes(folder) }
}

async function inspectAll(run: OpenRun): Promise<Map<string, Inspection>> {
  const inspections = new Map<string, Inspection>()
  for (const stage of run.stages) inspections.set(stage.id, await inspect(run, stage, inspections))
  return inspections
}

async function inspect(run: OpenRun, stage: Stage, before: ReadonlyMap<string, Inspection>): Promise<Inspection> {
  const inputs: Record<string, string> = {}
  for (const [name, path] of Object.entries(stage.inputs)) {
    inputs[name] = await run.hashes.hash(await listInput(name, path))
  }
  return inspectStage(stage, join(run.folder, stage.id), before, inputs)
}

async function describePlan(run: OpenRun, inspections: ReadonlyMap<string, Inspection>): Promise<RunPlan> {
  const warnings: string[] = []
  const own = versions()
  const stages = run.stages.map(({ id, title }) => {
    const { state, reasons, damage, manifest } = inspections.get(id) ?? internal(`stage ${id} was not inspected`)
    if (damage !== undefined) warnings.push(`${id} runs again: ${damage}.`)
    const others = Object.entries(manifest?.versions ?? {}).filter(([name, version]) => own[name] !== version)
    if (state === 'done' && others.length > 0) {
      const made = others.map(([name, version]) => `${name} ${version} (now ${own[name] ?? 'none'})`).join(', ')
      warnings.push(`${id} is kept, though made by ${made}; the last digits may differ if it ran again.`)
    }
    return { id, title, state, reasons }
  })
  const download = stages.find(({ id, state }) => id === downloadedModel.stage && state !== 'done')
  if (download !== undefined) warnings.push(await describeDownload(run.recipe))
  return { name: run.recipe.name, folder: run.folder, stages, variants: run.variants, warnings }
}

async function* runStage(
  run: OpenRun,
  stage: Stage,
  index: number,
  inspections: Map<string, Inspection>,
  tools: Tools,
  signal: AbortSignal,
): AsyncGenerator<RunEvent> {
  // Looked at again: what it builds on has run by now, and may have come out as before.
  const {
    state,
    manifest,
    key = internal(`${stage.id} comes before a stage that it builds on`),
  } = await inspect(run, stage, inspections)
  if (state === 'done' && manifest !== null) {
    yield { type: 'stage-end', stage: stage.id, seconds: manifest.seconds, kept: true, summary: manifest.summary }
    inspections.set(stage.id, { state, reasons: [], manifest })
    return
  }
  const { recipe } = run
  const folder = join(run.folder, stage.id)
  await prepareFolder(folder, key, state === 'interrupted')
  yield { type: 'stage-start', stage: stage.id, index, count: run.stages.length }
  const startedAt = performance.now()
  const outcome = yield* finish(stage, { recipe, stage, tools, folder, runFolder: run.folder, signal })
  const seconds = (performance.now() - startedAt) / 1000
  const made = {
    stage: stage.id,
    title: stage.title,
    ...key,
    outputs: await describeOutputs(folder, outcome.outputs),
    seed: recipe.seed,
    threads: recipe.threads,
    versions: versions(),
    sources: outcome.sources ?? [],
    ...(outcome.hosts !== undefined && outcome.hosts.length > 0 && { hosts: outcome.hosts }),
    summary: outcome.summary,
    seconds,
  }
  await writeManifest(folder, made)
  inspections.set(stage.id, { state: 'done', reasons: [], manifest: await readManifest(folder) })
  yield { type: 'stage-end', stage: stage.id, seconds, kept: false, summary: outcome.summary }
}

async function* finish(stage: Stage, work: StageWork): AsyncGenerator<RunEvent, StageOutcome> {
  const running = stage.run(work)
  return Symbol.asyncIterator in running ? yield* besideServer(running, work) : await running
}

/** Empties the stage's folder, unless partial work of just this stage lies there; then writes down what it is started with. */
async function prepareFolder(folder: string, key: StageKey, isInterrupted: boolean): Promise<void> {
  if (!isInterrupted) await removeStage(folder)
  await mkdir(folder, { recursive: true })
  await writeJson(join(folder, startedName), key)
}

// A stage as data: what it depends on, what it is set to, and the work it does.
import type { EventQueue } from '../base/event-queue.ts'
import type { RunEvent, ServerEvent } from '../base/progress.ts'
import type { Engine } from '../engine/engine.ts'
import type { Recipe, VariantName } from '../recipe/recipe.ts'
import type { Manifest } from '../runs/manifest.ts'
import type { compareModels } from '../sampler/embedded/compare.ts'
import type { OpenSampler } from '../sampler/sampler.ts'

/** Outputs of another stage; with `path`, only the file or folder of that name among them. */
export interface Dependency {
  stage: string
  path?: string
}

export interface Stage {
  /** Unique, and the name of its folder. */
  id: string
  kind: StageKind
  /** What it does, for people. */
  title: string
  /** 1, 2, ... for stages that repeat. */
  round?: number
  dependencies: Dependency[]
  /** The settings that its outputs depend on: when one changes, the stage runs again. No paths: their contents are inputs. */
  settings: Record<string, unknown>
  /** Files that the recipe names, by setting: absolute paths, folders or globs. */
  inputs: Record<string, string>
  run(work: StageWork): AsyncGenerator<RunEvent, StageOutcome> | Promise<StageOutcome>
}

export type StageKind =
  | 'miniature'
  | 'download'
  | 'initialise'
  | 'exam'
  | 'corpus'
  | 'pretrain'
  | 'sample'
  | 'pair'
  | 'prefer'
  | 'probe'
  | 'examine'
  | 'report'

/** What does the work; fakes take their place in tests. */
export interface Tools {
  engine: Engine
  openSampler: OpenSampler
  /** Tells how two models differ that this machine can hold; left out, nothing is compared. */
  compareModels?: typeof compareModels
  /** What a server of the run's own does while a stage waits for it; left out, there is none. */
  serverEvents?: EventQueue<ServerEvent>
  /** Called at the run's end, however it ends. */
  close?(): Promise<void>
}

/** What a stage is given to work with. */
export interface StageWork {
  recipe: Recipe
  stage: Stage
  tools: Tools
  /** Its own folder: partial work of an earlier attempt with the same settings and inputs may lie there. */
  folder: string
  /** The folder of the whole run. */
  runFolder: string
  signal: AbortSignal
}

export interface StageOutcome {
  /** Files and folders below the stage's folder that others build on. What is not named may be cleaned away. */
  outputs: string[]
  /** One line for people: what came out. */
  summary: string
  sources?: Manifest['sources']
  /** Every host that was contacted; none when left out. */
  hosts?: string[]
}

/** Names of the variants that stand on each stage. */
export type StageVariants = Map<string, VariantName[]>

/** '' for the first round, '-2', '-3' for those that follow. */
export function roundSuffix(round: number): string {
  return round === 1 ? '' : `-${round}`
}

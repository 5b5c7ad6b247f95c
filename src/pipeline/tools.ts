// What does a recipe's work: the engine and the sampler that it names, each loaded when it is needed.
import { join } from 'node:path'
import { cacheFolder } from '../base/cache.ts'
import { internal } from '../base/errors.ts'
import { EventQueue } from '../base/event-queue.ts'
import type { ServerEvent } from '../base/progress.ts'
import type { OpenSettings } from '../engine/cluster/choose.ts'
import type { Engine } from '../engine/engine.ts'
import type { Recipe } from '../recipe/recipe.ts'
import { serverFolder } from '../sampler/started/server-record.ts'
import type { StartSettings } from '../sampler/started/start-settings.ts'
import type { ServerSurroundings } from '../sampler/started/surroundings.ts'
import { openServed, openStarted } from './served.ts'
import type { Tools } from './stage.ts'

/** @param signal ends the wait for a server that starts. */
export async function openTools(recipe: Recipe, runFolder: string, signal: AbortSignal): Promise<Tools> {
  const engine = await openEngine(recipe)
  const { compareModels } = await import('../sampler/embedded/compare.ts')
  if (recipe.sampler.start !== undefined) {
    return { ...(await shareGpus(engine, recipe, runFolder, signal)), compareModels }
  }
  if (recipe.sampler.kind === 'server') return { engine, openSampler: openServed(recipe), compareModels }
  const { openEmbeddedSampler } = await import('../sampler/embedded/embedded.ts')
  const { precision } = recipe.sampler
  return {
    engine,
    openSampler: (model, options) => openEmbeddedSampler(model, { ...options, precision }),
    compareModels,
  }
}

/**
 * Training and a server of the run's own take turns: one is gone before the other begins.
 * @param surroundings where servers are started; this machine or its Slurm when left out.
 */
export async function shareGpus(
  engine: Engine,
  recipe: Recipe,
  runFolder: string,
  signal: AbortSignal,
  surroundings?: ServerSurroundings,
): Promise<Tools & { close(): Promise<void> }> {
  const { ServerKeeper } = await import('../sampler/started/server-keeper.ts')
  const serverEvents = new EventQueue<ServerEvent>()
  const tell = (event: ServerEvent) => serverEvents.tell(event)
  const keeper = new ServerKeeper(join(runFolder, serverFolder), startSettings(recipe), signal, tell, surroundings)
  return {
    engine: {
      async *train(job, jobSignal) {
        await keeper.release()
        yield* engine.train(job, jobSignal)
      },
      estimate: (job) => engine.estimate(job),
    },
    openSampler: openStarted(recipe, keeper, surroundings?.clock),
    serverEvents,
    close: () => keeper.release(),
  }
}

/** The recipe's sampler.start as the keeper of servers takes it: where jobs run stands in the engine's section. */
export function startSettings({ engine, sampler }: Recipe): StartSettings {
  const { place, partition, account, batchOptions, timeLimit, setup, retries } = engine
  const { environment, gpus, concurrency: _, ...start } = sampler.start ?? internal('no server is to be started')
  return {
    ...start,
    environment: environment ?? join(cacheFolder(), 'serving'),
    gpus: gpus ?? (engine.device === 'cpu' ? 0 : engine.processes),
    ...{ place, partition, account, batchOptions, timeLimit, setup, retries },
  }
}

export async function openEngine(recipe: Recipe): Promise<Engine> {
  if (recipe.engine.kind === 'cluster') {
    const { ClusterEngine } = await import('../engine/cluster/cluster-engine.ts')
    return new ClusterEngine(clusterSettings(recipe))
  }
  const { EmbeddedEngine } = await import('../engine/embedded/embedded-engine.ts')
  return new EmbeddedEngine()
}

/** The recipe's engine section as the cluster engine takes it. */
export function clusterSettings({ engine }: Recipe): OpenSettings {
  const { kind: _kind, environment, sharding, precision, ...rest } = engine
  return {
    ...rest,
    environment: environment ?? join(cacheFolder(), 'training'),
    ...(sharding !== undefined && { sharding }),
    ...(precision !== undefined && { precision }),
  }
}

// Served models in place of the embedded sampler: names, adapters, hosts, and what of it the outcome depends on.
import { join } from 'node:path'
import type { Clock } from '../base/clock.ts'
import { exists } from '../base/files.ts'
import type { ModelReference } from '../engine/engine.ts'
import type { Recipe } from '../recipe/recipe.ts'
import type { OpenSampler } from '../sampler/sampler.ts'
import type { EndpointSettings, ServerSampler } from '../sampler/server/server.ts'
import type { ServerKeeper } from '../sampler/started/server-keeper.ts'
import type { Served } from '../sampler/started/start-settings.ts'

/** Opens models by the names under which the recipe's endpoints serve them; adapters are loaded first where it says so. */
export function openServed(recipe: Recipe): OpenSampler {
  return async (model) => {
    const { served, adapter } = await chooseServed(recipe, model)
    return openEndpoints(recipe, recipe.sampler.endpoints, served.name, adapter)
  }
}

/** The same on a server that the run starts itself, for one model at a time. */
export function openStarted(recipe: Recipe, keeper: ServerKeeper, clock?: Clock): OpenSampler {
  return async (model) => {
    const { openStartedSampler } = await import('../sampler/started/started-sampler.ts')
    const { served, adapter } = await chooseServed(recipe, model)
    const keyVariable = 'MEIKAI_SERVER_KEY'
    return openStartedSampler({
      start: () => keeper.use(served),
      open: ({ url, key }) => {
        const { concurrency = 1 } = recipe.sampler.start ?? {}
        const endpoint = { url, concurrency, ...(key !== undefined && { keyVariable }) }
        // Its own server is asked directly, whatever proxy there is.
        return openEndpoints(recipe, [endpoint], served.name, adapter, { [keyVariable]: key }, clock)
      },
      retries: recipe.engine.retries,
    })
  }
}

/** What has to be served for a model: itself, or the base and an adapter on it. */
async function chooseServed(
  { sampler, pretrain, prefer }: Recipe,
  model: ModelReference,
): Promise<{ served: Served; adapter: string | undefined }> {
  const { unmerged, folder, name } = model
  const adapterRank = Math.max(pretrain.rank, prefer.rank)
  const onBase =
    sampler.adapters && unmerged !== undefined && (await exists(join(unmerged.adapter, 'adapter_config.json')))
  const base = onBase ? { folder: unmerged.folder, name: 'base' } : { folder, ...(name !== undefined && { name }) }
  return {
    served: { folder: base.folder, name: servedName(sampler.model, base), ...(sampler.adapters && { adapterRank }) },
    adapter: onBase ? unmerged.adapter : undefined,
  }
}

async function openEndpoints(
  { sampler: { timeoutSeconds, attempts, dialect, samplesPerCall } }: Recipe,
  endpoints: readonly EndpointSettings[],
  servedModel: string,
  adapter: string | undefined,
  environment?: Record<string, string | undefined>,
  clock?: Clock,
): Promise<ServerSampler> {
  const { openServerSampler } = await import('../sampler/server/server.ts')
  let model = servedModel
  if (adapter !== undefined) {
    const { loadServedAdapter } = await import('../sampler/server/adapter.ts')
    model = await loadServedAdapter(adapter, { endpoints, timeoutSeconds }, environment)
  }
  const settings = { endpoints, model, api: 'completions', dialect, samplesPerCall, timeoutSeconds, attempts } as const
  return openServerSampler(settings, environment, clock)
}

/** Whether the recipe's sampler can write with a model: endpoints know the run's models, and adapters on the base, not snapshots. */
export function canServe({ sampler }: Recipe, { name, adapter, unmerged }: ModelReference): boolean {
  if (sampler.kind === 'embedded') return true
  return adapter === undefined ? name !== undefined : sampler.adapters && adapter === unmerged?.adapter
}

function servedName(pattern: string, { folder, name = 'model' }: ModelReference): string {
  return pattern.replaceAll('{folder}', folder).replaceAll('{model}', name)
}

/** What sampled texts and their log-probabilities depend on besides the model: another precision than the model's own, the server's kind and names. */
export function samplerIdentity({ sampler }: Recipe): Record<string, unknown> {
  const { precision } = sampler
  if (sampler.kind === 'embedded') return precision === 'float32' ? {} : { sampler: { precision } }
  const { kind, model, dialect } = sampler
  return { sampler: { kind, model, dialect } }
}

/** The hosts that the recipe's sampler talks to; a server of the run's own is none. */
export function samplerHosts({ sampler }: Recipe): string[] {
  return sampler.kind === 'embedded' ? [] : [...new Set(sampler.endpoints.map(({ url }) => new URL(url).host))]
}

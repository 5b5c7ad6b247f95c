// The download: a model of the Hugging Face hub, brought into the hub's cache; the stage keeps links to its files.
import { mkdir, realpath, rm, symlink } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { internal } from '../../base/errors.ts'
import { exists } from '../../base/files.ts'
import { formatBytes } from '../../base/format.ts'
import { describeHubModel, findCached, type HubModel, hubSettings } from '../../model/hub.ts'
import { downloadModel } from '../../model/hub-download.ts'
import { readHubModel } from '../../recipe/paths.ts'
import type { Recipe } from '../../recipe/recipe.ts'
import { measureBytes } from '../../runs/manifest.ts'
import type { Dependency, Stage } from '../stage.ts'

/** Where the model lies, for stages that build on it. */
export const downloadedModel: Required<Dependency> = { stage: 'download', path: 'model' }

/** The role of a base model among a run's sources. */
export const baseModelRole = 'base model'

export function downloadStage(recipe: Recipe): Stage {
  const model = hubModelOf(recipe)
  const { licence: ownLicence } = recipe.model
  return {
    id: downloadedModel.stage,
    kind: 'download',
    title: `Download of ${describeHubModel(model)}`,
    dependencies: [],
    inputs: {},
    settings: { model: describeHubModel(model) },
    async *run({ stage, folder, signal }) {
      const download = downloadModel(model, hubSettings(), signal)
      let next = await download.next()
      for (; !next.done; next = await download.next()) {
        const { done, total, file } = next.value
        const progress = { done: megabytes(done), total: megabytes(total), unit: 'MB', note: file }
        yield { type: 'stage-progress', stage: stage.id, ...progress }
      }
      const { folder: snapshot, files, commit, hosts, licence = ownLicence } = next.value
      const target = join(folder, downloadedModel.path)
      await rm(target, { recursive: true, force: true })
      await mkdir(target)
      for (const file of files) await symlink(await realpath(join(snapshot, file)), join(target, file))
      const from = hosts.length === 0 ? 'from the cache' : `from ${hosts.join(', ')}`
      return {
        outputs: [downloadedModel.path],
        summary: `${formatBytes(await measureBytes(target))}, commit ${commit.slice(0, 8)}, ${from}`,
        sources: [{ name: `${model.name}@${commit}`, role: baseModelRole, licence: ownLicence ?? licence }],
        hosts,
      }
    },
  }
}

function hubModelOf(recipe: Recipe): HubModel {
  return readHubModel(recipe.model.folder) ?? internal(`${recipe.model.folder} is no model of a hub`)
}

/** Whole megabytes, as progress counts them. */
function megabytes(bytes: number): number {
  return Math.round(bytes / 2 ** 20)
}

/** What the download will do, for plans: nothing is asked. */
export async function describeDownload(recipe: Recipe): Promise<string> {
  const model = hubModelOf(recipe)
  const settings = hubSettings()
  const name = describeHubModel(model)
  const cached = await findCached(model, settings)
  if (cached !== undefined) return `${name} is in the cache (${cached.folder}): nothing will be downloaded.`
  return settings.offline
    ? `${name} is not in ${settings.cacheFolder}, and HF_HUB_OFFLINE forbids to download it.`
    : `${name} will be downloaded from ${new URL(settings.endpoint).host} into ${settings.cacheFolder}.`
}

/**
 * The recipe's model folder as far as it can be had without downloading: the run's own, or the cache's. Undefined where
 * the model has yet to be downloaded.
 */
export async function findModelFolder(recipe: Recipe, runsFolder: string): Promise<string | undefined> {
  const model = readHubModel(recipe.model.folder)
  if (model === undefined) return recipe.model.folder
  const own = resolve(runsFolder, recipe.name, downloadedModel.stage, downloadedModel.path)
  const isThere = await exists(join(own, 'config.json'))
  return isThere ? own : (await findCached(model, hubSettings()))?.folder
}

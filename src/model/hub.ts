// Models of the Hugging Face hub: where its tools keep them on this machine, and what the environment says about them.
//
// The cache is the one that huggingface_hub and transformers share: models--OWNER--NAME holds refs/REVISION (a commit),
// snapshots/COMMIT/FILE (links) and blobs/HASH (what they lead to). `.no_exist/COMMIT/FILE` says that the hub lacks a file.
import { readdir, readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { UserError } from '../base/errors.ts'
import { exists, readJson } from '../base/files.ts'
import { indexFile, weightsFile } from '../formats/weights.ts'

/** A model by name, as 'Qwen/Qwen2.5-0.5B' at 'main' (a branch, a tag or a commit). */
export interface HubModel {
  name: string
  revision: string
}

/** How the hub is reached and where its files lie. */
export interface HubSettings {
  /** HF_ENDPOINT, or https://huggingface.co. */
  endpoint: string
  /** HF_HUB_CACHE, or 'hub' below HF_HOME, or below huggingface in XDG_CACHE_HOME or ~/.cache. */
  cacheFolder: string
  /** HF_TOKEN. */
  token: string | undefined
  /** HF_HUB_OFFLINE. */
  offline: boolean
}

/** A model that is on this machine whole. */
export interface CachedModel {
  /** Its snapshot: a folder in Hugging Face form, made of links. */
  folder: string
  commit: string
}

/** Without these a model is not whole. */
const neededFiles = ['config.json', 'tokenizer.json', 'tokenizer_config.json']
/** Not every model has them, but where one does, they decide how it writes. */
export const optionalFiles = ['generation_config.json', 'chat_template.jinja']

/** 'Qwen/Qwen2.5-0.5B@main'. */
export function describeHubModel({ name, revision }: HubModel): string {
  return `${name}@${revision}`
}

/** What the environment says. */
export function hubSettings(environment: Record<string, string | undefined> = process.env): HubSettings {
  const home = environment.HF_HOME || join(environment.XDG_CACHE_HOME || join(homedir(), '.cache'), 'huggingface')
  return {
    endpoint: (environment.HF_ENDPOINT || 'https://huggingface.co').replace(/\/+$/, ''),
    cacheFolder: environment.HF_HUB_CACHE || environment.HUGGINGFACE_HUB_CACHE || join(home, 'hub'),
    token: environment.HF_TOKEN?.trim() || undefined,
    offline: /^(1|true|yes|on)$/i.test(environment.HF_HUB_OFFLINE ?? ''),
  }
}

/** The model's folder in the cache. */
export function repositoryFolder({ name }: HubModel, { cacheFolder }: HubSettings): string {
  return join(cacheFolder, `models--${name.replace('/', '--')}`)
}

/** The commit that a revision stands for: itself, or what the cache noted when the revision was last downloaded. */
async function findCommit(model: HubModel, settings: HubSettings): Promise<string | undefined> {
  if (/^[0-9a-f]{40}$/.test(model.revision)) return model.revision
  const text = await readFile(join(repositoryFolder(model, settings), 'refs', model.revision), 'utf8').catch(() => '')
  return /^[0-9a-f]{40}$/.exec(text.trim())?.[0]
}

/**
 * Looks the model up in the cache, without any network. A branch counts as it was when it was downloaded.
 * @returns undefined where it is not there, or only in part (what a tool did not ask for, it did not fetch).
 */
export async function findCached(model: HubModel, settings: HubSettings): Promise<CachedModel | undefined> {
  const commit = await findCommit(model, settings)
  if (commit === undefined) return undefined
  const repository = repositoryFolder(model, settings)
  const folder = join(repository, 'snapshots', commit)
  if ((await findLacking(folder)).length > 0) return undefined
  for (const file of optionalFiles) {
    const isKnown = (await exists(join(folder, file))) || (await exists(join(repository, '.no_exist', commit, file)))
    if (!isKnown && !settings.offline) return undefined
  }
  return { folder, commit }
}

/** What a snapshot lacks to be a model. */
async function findLacking(folder: string): Promise<string[]> {
  const wanted = [...neededFiles]
  const index = join(folder, indexFile)
  wanted.push(...((await exists(index)) ? await listShards(index) : [weightsFile]))
  const there = await Promise.all(wanted.map((file) => exists(join(folder, file))))
  return wanted.filter((_, i) => !there[i])
}

/** The shards that an index names. */
export async function listShards(index: string): Promise<string[]> {
  const { weight_map: map } = (await readJson(index)) as { weight_map?: unknown }
  if (typeof map !== 'object' || map === null) throw new UserError(`${index}: no weight_map.`)
  const shards = [...new Set(Object.values(map).map(String))]
  const strange = shards.find((shard) => !/^[\w.-]+\.safetensors$/.test(shard))
  if (strange !== undefined) throw new UserError(`${index}: ${JSON.stringify(strange)} is no safetensors file.`)
  return shards
}

/** What the cache has of a model that is not whole, in words. */
export async function describeLacking(model: HubModel, settings: HubSettings): Promise<string> {
  const commit = await findCommit(model, settings)
  const folder = join(repositoryFolder(model, settings), 'snapshots', commit ?? 'none')
  const isThere = await readdir(folder).then(
    (names) => names.length > 0,
    () => false,
  )
  return isThere ? `${folder} lacks ${(await findLacking(folder)).join(', ')}` : `it is not in ${settings.cacheFolder}`
}

// What a finished run trained: the model of a variant, the adapters that it was merged from, how often it met its end.
import { join } from 'node:path'
import { UserError } from '../base/errors.ts'
import { readJsonLines } from '../base/files.ts'
import type { PairRow, TokenRow } from '../data/records.ts'
import type { JoinableAdapters } from '../export/export-model.ts'
import type { TrainingFacts } from '../export/release-checks.ts'
import { openAdapter } from '../formats/adapter.ts'
import { type Manifest, readManifest } from '../runs/manifest.ts'
import { loadTokenizer } from '../tokenizer/tokenizer.ts'
import { loadChanges, mergedPath, resultPath } from './merging.ts'
import { downloadedModel } from './stages/download.ts'

export interface TrainedModel {
  /** The whole model, absolute. */
  folder: string
  /** Stages that trained it, the first one first. */
  stages: string[]
  /** Where the last stages trained adapters: their folders, and the base below them. */
  adapters: JoinableAdapters | { missing: string }
  facts: TrainingFacts
  /** What fewer bits changed at each merge, a sentence each. */
  changes: string[]
}

/** Paths below a stage's folder that are models. */
const modelPaths = [mergedPath, resultPath, downloadedModel.path]

/**
 * Finds the model that a variant's examination stands on, by the manifests of its run.
 * @throws UserError where the variant was not examined, or is the base that nothing was trained on.
 */
export async function findTrainedModel(runFolder: string, variant: string): Promise<TrainedModel> {
  const examination = await manifestOf(runFolder, `examine-${variant}`)
  const start = modelKeys(examination)[0]
  if (start === undefined || !isTraining(start)) {
    throw new UserError(`${runFolder}: ${variant} is the model that the run began with; nothing was trained on it.`)
  }
  const chain: { key: string; manifest: Manifest }[] = []
  let key: string | undefined = start
  while (key !== undefined && isTraining(key)) {
    const manifest: Manifest = await manifestOf(runFolder, stageOf(key))
    chain.unshift({ key, manifest })
    key = modelKeys(manifest)[0]
  }
  // What was trained whole is the base of the adapters that follow.
  const whole = chain.findLastIndex((one) => one.key.endsWith(`/${resultPath}`))
  const later = chain.slice(whole + 1)
  const folder = join(runFolder, start)
  return {
    folder,
    stages: chain.map((one) => stageOf(one.key)),
    adapters:
      later.length === 0
        ? { missing: `${stageOf(start)} trained all weights, which no adapter holds.` }
        : await findAdapters(runFolder, later, chain[whole]?.key ?? key),
    changes: await findChanges(runFolder, chain),
    facts: {
      trainsRows: whole >= 0,
      endTargets: await countEnds(
        runFolder,
        chain.flatMap(({ manifest }) => Object.keys(manifest.dependencies)),
        (await loadTokenizer(folder)).endToken,
      ),
    },
  }
}

async function findChanges(
  runFolder: string,
  chain: readonly { key: string; manifest: Manifest }[],
): Promise<string[]> {
  const found = chain.map(async ({ key, manifest }) => {
    const changes = await loadChanges(join(runFolder, stageOf(key)), manifest.outputs)
    return changes.map((change) => `${stageOf(key)}: ${change}.`)
  })
  return (await Promise.all(found)).flat()
}

async function manifestOf(runFolder: string, stage: string): Promise<Manifest> {
  const manifest = await readManifest(join(runFolder, stage))
  if (manifest !== null) return manifest
  throw new UserError(
    `${join(runFolder, stage)}: no finished stage there. Name a finished run and one of its variants.`,
  )
}

/** The dependencies that are models, the one that a stage starts from first. */
function modelKeys({ dependencies }: Manifest): string[] {
  return Object.keys(dependencies).filter((key) => modelPaths.some((path) => key.endsWith(`/${path}`)))
}

function stageOf(key: string): string {
  return key.slice(0, key.indexOf('/'))
}

function isTraining(key: string): boolean {
  return key.endsWith(`/${mergedPath}`) || key.endsWith(`/${resultPath}`)
}

async function findAdapters(
  runFolder: string,
  chain: readonly { key: string; manifest: Manifest }[],
  baseKey: string | undefined,
): Promise<JoinableAdapters> {
  const folders = chain.map(({ key }) => join(runFolder, stageOf(key), resultPath))
  const quantisedBases = chain.filter(({ manifest }) => holdsQuantised(manifest)).length
  // A folder that the recipe names is written down in the adapter itself.
  const { baseModel } = (await openAdapter(folders[0]!)).config
  const baseFolder = baseKey === undefined ? baseModel : join(runFolder, baseKey)
  const download = baseKey === undefined ? null : await readManifest(join(runFolder, stageOf(baseKey)))
  const [name] = (download?.sources[0]?.name ?? baseFolder).split('@')
  return { folders, baseFolder, baseName: name!, quantisedBases }
}

/** Whether a training stage's settings held the base in few bits: an adapter belongs to what its codes stand for. */
function holdsQuantised({ settings }: Manifest): boolean {
  const { pretrain, foundation, prefer } = settings as Record<string, { base?: string; pretrain?: { base?: string } }>
  const { base = 'float32' } = pretrain ?? foundation?.pretrain ?? prefer ?? {}
  return base !== 'float32'
}

/** How often a token was to be predicted in the rows that the stages trained on. */
async function countEnds(runFolder: string, keys: readonly string[], end: number): Promise<number | undefined> {
  const files = keys.filter((key) => key.endsWith('/training.jsonl'))
  if (files.length === 0) return undefined
  let count = 0
  for (const file of new Set(files)) {
    for await (const { value } of readJsonLines(join(runFolder, file))) {
      const row = value as Partial<TokenRow & PairRow>
      const learnt = row.tokens?.slice(row.lossFrom) ?? row.chosenTokens ?? []
      for (const token of learnt) if (token === end) count++
    }
  }
  return count
}

// Checkpoints: weights, moments, the step and every event so far, in a folder that is renamed into place when it is whole.
import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { internal, UserError } from '../../base/errors.ts'
import { loadJsonLines, readJson, writeFolderAtomic, writeJson, writeJsonLines } from '../../base/files.ts'
import type { TrainingEvent } from '../../base/progress.ts'
import { readSafetensorsHeader, readTensor } from '../../formats/safetensors.ts'
import { writeSafetensors } from '../../formats/safetensors-writer.ts'

/** What training goes on from. Where in the data it stands follows from the step. */
export interface Checkpoint {
  step: number
  /** The best step so far by the first evaluation set, where the job keeps the best. */
  best: { step: number; loss: number } | undefined
  events: TrainingEvent[]
  /** weights, mean and square, each flat. */
  arrays: Record<string, Float32Array>
}

interface State {
  job: string
  step: number
  best?: { step: number; loss: number }
}

const folderOf = (outputFolder: string) => join(outputFolder, 'checkpoints')
const nameOf = (step: number) => `step-${String(step).padStart(7, '0')}`

/** Saves a checkpoint of the job (known by its hash) and removes all but the newest `keep`. Returns its folder. */
export async function saveCheckpoint(
  outputFolder: string,
  job: string,
  { step, best, events, arrays }: Checkpoint,
  keep: number,
): Promise<string> {
  const folder = join(folderOf(outputFolder), nameOf(step))
  await writeFolderAtomic(folder, async (partial) => {
    const tensors = Object.entries(arrays).map(([name, values]) => ({
      name,
      shape: [values.length],
      read: () => values,
    }))
    await writeSafetensors(join(partial, 'state.safetensors'), tensors)
    await writeJsonLines(join(partial, 'events.jsonl'), events)
    await writeJson(join(partial, 'state.json'), { job, step, ...(best ? { best } : {}) } satisfies State)
  })
  const whole = await listCheckpoints(outputFolder)
  for (const old of whole.slice(0, -keep)) await rm(join(folderOf(outputFolder), old), { recursive: true })
  return folder
}

/** The newest checkpoint of the job, if there is one; those of another job, and half-written ones, are removed. */
export async function loadCheckpoint(outputFolder: string, job: string): Promise<Checkpoint | undefined> {
  const parent = folderOf(outputFolder)
  await mkdir(parent, { recursive: true })
  for (const entry of await readdir(parent)) {
    if (entry.endsWith('.partial')) await rm(join(parent, entry), { recursive: true })
  }
  for (const name of (await listCheckpoints(outputFolder)).reverse()) {
    const folder = join(parent, name)
    const state = (await readJson(join(folder, 'state.json'))) as State
    if (state.job !== job) {
      await rm(folder, { recursive: true })
      continue
    }
    const { tensors } = await readSafetensorsHeader(join(folder, 'state.safetensors'))
    const arrays: Record<string, Float32Array> = {}
    for (const [tensor, stored] of tensors) arrays[tensor] = await readTensor(stored)
    const events = await loadJsonLines<TrainingEvent>(join(folder, 'events.jsonl'))
    return { step: state.step, best: state.best, events, arrays }
  }
  return undefined
}

/** Names of whole checkpoints, oldest first. */
async function listCheckpoints(outputFolder: string): Promise<string[]> {
  const names = await readdir(folderOf(outputFolder))
  return names.filter((name) => /^step-\d+$/.test(name)).sort()
}

/** Copies a checkpoint's array into place; one of another length means a damaged file. */
export function restoreArray(folder: string, target: Float32Array, source: Float32Array | undefined): void {
  if (source?.length !== target.length) {
    throw new UserError(`${folder}: the checkpoint is damaged. Delete it; training starts from the one before.`)
  }
  target.set(source)
}

const bestFile = (outputFolder: string) => join(outputFolder, 'best.safetensors')

/** Keeps the weights of the best step so far. */
export async function saveBest(outputFolder: string, step: number, weights: Float32Array): Promise<void> {
  const tensor = { name: 'weights', shape: [weights.length], read: () => weights }
  await writeSafetensors(bestFile(outputFolder), [tensor], { step: String(step) })
}

/**
 * Puts the best step's weights in place. After a kill the file may be of a later step than the checkpoint's, but that step came again.
 * The file stays, as checkpoints do: a kill before the result counts as finished takes the job up from both.
 */
export async function loadBest(outputFolder: string, step: number, weights: Float32Array): Promise<void> {
  const file = bestFile(outputFolder)
  const { tensors, metadata } = await readSafetensorsHeader(file)
  if (metadata.step !== String(step)) internal(`${file} holds step ${metadata.step}, not ${step}`)
  restoreArray(file, weights, await readTensor(tensors.get('weights') ?? internal('no weights in it')))
}

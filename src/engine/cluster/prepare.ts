// What is written before a job starts: the tokens, the initial adapter, each attempt's configuration and scripts.
import { chmod, mkdir, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { internal, UserError } from '../../base/errors.ts'
import { hashFile, hashJson, writeFileAtomic, writeFolderAtomic, writeJson } from '../../base/files.ts'
import { type AdapterLayer, writeAdapter } from '../../formats/adapter.ts'
import { loadModelConfig } from '../../model/config.ts'
import { adapterShapes } from '../../model/weights.ts'
import { initialLora } from '../../training/initial-values.ts'
import type { TrainingJob } from '../engine.ts'
import { clusterFiles, deepspeedSettings, writeConfiguration } from './configuration.ts'
import { attemptFolder, type JobRecord } from './job-record.ts'
import { derivePort, findPort } from './ports.ts'
import { writeJobScript, writeNodeScript } from './script.ts'
import { type ClusterSettings, worldSize } from './settings.ts'
import { writeTrainingRows } from './training-rows.ts'

/** Refuses what the cluster engine cannot do. */
export function checkJob(job: TrainingJob, settings: ClusterSettings): void {
  const { objective, model, method } = job
  if (model.adapter !== undefined) {
    throw new UserError(`${model.adapter}: the cluster engine starts from whole models. Merge the adapter first.`)
  }
  if (objective.kind === 'preference' && objective.reference.adapter !== undefined) {
    throw new UserError(`${objective.reference.adapter}: the reference must be a whole model. Merge the adapter first.`)
  }
  if (job.outputFolder.includes(',')) {
    throw new UserError(
      `${job.outputFolder}: LLaMA-Factory takes a comma in a path for the end of it. Rename the folder.`,
    )
  }
  if (settings.fourBit && method.kind === 'full') {
    throw new UserError('base: nf4 holds frozen weights. Set method: lora, or leave it out.')
  }
  if (settings.precision === 'float32' && settings.device === 'gpu') {
    throw new UserError('engine.precision: on GPUs it trains in bf16; float32 is for engine.device: cpu.')
  }
  if (job.keep === 'best' && Object.keys(job.evaluationFiles).length === 0) {
    throw new UserError('keep: best needs a held-out set to choose by.')
  }
  if (objective.kind === 'next-token' ? !('tokens' in job.batch) : !('pairs' in job.batch)) {
    internal(`a ${objective.kind} objective with the other one's batch`)
  }
}

/** Hash of what decides the training, its files by contents; of weights, which may be hundreds of gigabytes, size and date. */
export async function hashClusterJob(job: TrainingJob, settings: ClusterSettings): Promise<string> {
  const {
    outputFolder: _where,
    keepCheckpoints: _kept,
    checkpointEverySteps: _often,
    threads: _threads,
    recompute: _how,
    ...rest
  } = job
  const {
    retries: _retries,
    timeLimit: _limit,
    partition: _partition,
    account: _account,
    batchOptions: _options,
    warningSeconds: _warning,
    ...place
  } = settings
  const files: Record<string, string> = {}
  for (const file of [job.trainingFile, ...Object.values(job.evaluationFiles)]) files[file] = await hashFile(file)
  const models = job.objective.kind === 'preference' ? [job.model, job.objective.reference] : [job.model]
  const weights: [string, number, number][] = []
  for (const { folder } of models) {
    for (const name of (await readdir(folder)).filter((file) => /\.(safetensors|json)$/.test(file)).sort()) {
      const { size, mtimeMs } = await stat(join(folder, name))
      weights.push([name, size, mtimeMs])
    }
  }
  return hashJson({ rest, place, files, weights })
}

/** Writes tokens and initial adapter of a new job into an emptied folder; the record is the caller's to write, last. */
export async function prepareJob(
  folder: string,
  job: TrainingJob,
  settings: ClusterSettings,
): Promise<JobRecord['rows']> {
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  const rows = await writeTrainingRows(join(folder, clusterFiles.data), job, worldSize(settings))
  if (job.method.kind === 'lora') await writeInitialAdapter(join(folder, clusterFiles.adapter), job)
  return rows
}

/** The adapter that training starts from: the embedded engine's own initial values, from the seed. */
async function writeInitialAdapter(folder: string, { model, method, seed }: TrainingJob): Promise<void> {
  if (method.kind !== 'lora') internal('no adapter is asked for')
  const shapes = adapterShapes(await loadModelConfig(model.folder), method)
  const layers: AdapterLayer[] = []
  for (const [name, shapeA] of shapes) {
    const layer = /^(.+)\.lora_A\.weight$/.exec(name)?.[1]
    if (layer === undefined) continue
    const nameB = `${layer}.lora_B.weight`
    const shapeB = shapes.get(nameB) ?? internal(`${layer} has no B`)
    const [a, b] = [initialLora(name, shapeA, seed), initialLora(nameB, shapeB, seed)]
    layers.push({ weight: `${layer}.weight`, inputs: shapeA[1] ?? 0, outputs: shapeB[0] ?? 0, a, b })
  }
  await writeFolderAtomic(folder, (partial) => writeAdapter(partial, { ...method, baseModel: model.folder }, layers))
}

/** Writes what an attempt is started with. */
export async function prepareAttempt(
  folder: string,
  job: TrainingJob,
  settings: ClusterSettings,
  record: JobRecord,
  number: number,
  resumeFrom: string | undefined,
): Promise<string> {
  const attempt = attemptFolder(folder, number)
  await rm(attempt, { recursive: true, force: true })
  await mkdir(attempt, { recursive: true })
  const configuration = writeConfiguration({ job, settings, rows: record.rows, folder, resumeFrom })
  await writeFileAtomic(join(attempt, clusterFiles.configuration), configuration)
  if (settings.sharding === 'zero3') await writeJson(join(folder, clusterFiles.deepspeed), deepspeedSettings)
  const port = settings.place === 'here' ? await findPort() : derivePort(attempt)
  const script = { name: record.name, settings, folder, attempt, port }
  for (const [name, text] of [
    [clusterFiles.script, writeJobScript(script)],
    [clusterFiles.nodeScript, writeNodeScript(script)],
  ] as const) {
    await writeFileAtomic(join(attempt, name), text)
    await chmod(join(attempt, name), 0o755)
  }
  return attempt
}

// What a training job will need: memory, time, disk, from its data and the model's shape.
import { freemem } from 'node:os'
import { headChunk, weightBytes } from '../../model/checkpoint.ts'
import { loadModelConfig, type ModelConfig } from '../../model/config.ts'
import { countValues, quantisedShapes } from '../../model/weights.ts'
import { seenByBlocks } from '../../training/attention-blocks.ts'
import { rowLength } from '../../training/batch.ts'
import { trainableShapes } from '../../training/step-graph.ts'
import type { Estimate, TrainingJob } from '../engine.ts'
import { countSteps, documentRowTokens, type PlannedStep, planSteps } from '../training-data.ts'
import { type Records, readRecords } from '../training-records.ts'
import { isLarge } from './learner.ts'

/** Floating-point operations a second and thread of a step's products, where a single large product reaches 230e9 (see scaleTime): 85 %. */
const operationsPerSecond = 195e9
/** Seconds and thread that an entry of an array costs each time that something other than a product writes it, on the same machine. */
const entrySeconds = 0.4e-9
/** Seconds that a weight costs each time that it is updated, on one thread of the same machine. */
const updateSeconds = 2.2e-9
/** Node, ONNX Runtime and the graph itself. */
const processBytes = 250e6
/** Operations a weight and token that computing a layer again adds: a forward pass without its last product. */
const recomputedProducts = 1.4
/** What a product of 8-bit integers takes of a float32 one's time (measured: 0.35 to 0.5, at 1,024 rows). */
const int8Time = 0.45
/** Recomputing starts by itself where keeping everything would take more than this share of the free memory. */
const autoShare = 0.8
/** Steps that are looked at to learn their size. */
const sampledSteps = 20

/** @param known the model's shape, where it is known already. */
export async function estimateTraining(job: TrainingJob, known?: ModelConfig): Promise<Estimate> {
  const config = known ?? (await loadModelConfig(job.model.folder))
  const records = await readRecords(job.trainingFile, job.objective, config)
  const steps = countSteps(records, job, documentRowTokens(job, config.contextTokens))
  const { sample, bytes, trainable } = await measureMemory(job, config, records)
  const perStep = (sum: number) => sum / Math.max(1, sample.steps)

  const full = job.method.kind === 'full'
  const modelBytes = weightBytes(config)
  const tableWeights = config.vocabularySize * config.width
  const layerWeights = modelBytes / 4 - tableWeights * (config.tiedEmbeddings ? 1 : 2)
  // Forward 2 operations a weight and token, backward to activations 2 more, to weights another 2; only predictions reach the head.
  const products = full ? 6 : 4
  const secondsOf = (extra: number) => {
    const passes = (products + extra) / products
    const float32 = (products + extra) * layerWeights * perStep(sample.tokens)
    const layers = job.model.base === 'int8' ? int8Time * float32 : float32
    const attention = 12 * passes * config.layers * config.heads * config.headWidth * perStep(sample.seen)
    const head = products * tableWeights * perStep(sample.predictions)
    const entries =
      passes * config.layers * (25 * config.width + 9 * config.feedForwardWidth) * perStep(sample.tokens) +
      passes * config.layers * 9 * config.heads * perStep(sample.seen) +
      4 * config.vocabularySize * perStep(sample.predictions)
    const shared = (layers + attention + head) / operationsPerSecond + entries * entrySeconds
    return steps * (shared / job.threads + trainable * updateSeconds)
  }
  const recompute = {
    none: { bytes: bytes.none, seconds: secondsOf(0) },
    layers: { bytes: bytes.layers, seconds: secondsOf(recomputedProducts) },
  }
  const checkpointBytes = 3 * 4 * trainable
  const resultBytes = full ? modelBytes : 4 * trainable
  return {
    ...recompute[await chooseWay(job, () => bytes.none)],
    recompute,
    diskBytes: (job.keepCheckpoints + 1) * checkpointBytes + (2 + job.snapshotSteps.length) * resultBytes,
    steps,
  }
}

/**
 * What the job's backward pass computes again: layers as it says, or by what memory is free now. Otherwise all is kept, in large models
 * but for what is quick to compute.
 */
export async function chooseRecomputing(
  job: TrainingJob,
  config: ModelConfig,
  records: Records,
): Promise<'none' | 'quick' | 'layers'> {
  const way = await chooseWay(job, async () => (await measureMemory(job, config, records)).bytes.none)
  return way === 'none' && isLarge(config) ? 'quick' : way
}

/** @param measure the bytes that keeping all takes; asked only where the job leaves the way open. */
async function chooseWay(
  { recompute = 'auto' }: TrainingJob,
  measure: () => Promise<number> | number,
): Promise<'none' | 'layers'> {
  if (recompute !== 'auto') return recompute
  return (await measure()) > autoShare * freemem() ? 'layers' : 'none'
}

/**
 * Rows of the head at a time: few where layers are computed again, for memory's sake. Where the head learns, the sum of its
 * gradient has other last bits in other chunks, so it keeps to one size.
 */
export function chooseHeadChunk({ method }: TrainingJob, config: ModelConfig, recomputed: boolean): number {
  return headChunk(config, recomputed && method.kind === 'lora')
}

/** The job's first steps, and the peak memory that their largest micro-batch takes in each way of recomputing. */
async function measureMemory(job: TrainingJob, config: ModelConfig, records: Records) {
  const planned: PlannedStep[] = []
  for (const read of planSteps(records, job, documentRowTokens(job, config.contextTokens))) {
    if (planned.push(await read()) === sampledSteps) break
  }
  const sizes = planned.flat().map(({ rows }) => {
    const longest = Math.max(...rows.map(rowLength))
    const tokens = rows.length * longest
    const predictions = rows.reduce((sum, row) => sum + row.predictions.length, 0)
    const seen = seenByBlocks(rows, longest).reduce((sum, { size, far, near }) => sum + size * (far + near), 0)
    return { tokens, predictions, seen: rows.length * seen }
  })
  const total = (key: 'tokens' | 'predictions' | 'seen') => sizes.reduce((sum, size) => sum + size[key], 0)
  const largest = sizes.reduce((a, b) => (a.tokens > b.tokens ? a : b), {
    tokens: 0,
    predictions: 0,
    seen: 0,
  })

  const learning = job.method.kind === 'full' ? { kind: 'full' as const } : { kind: 'lora' as const, lora: job.method }
  const trainable = countValues(trainableShapes(config, learning))
  const held = job.method.kind === 'full' ? 'learning' : isLarge(config) ? 'mapped' : 'packed'
  const still = processBytes + stateBytes(frozenBytes(config, job), held, trainable)
  return {
    sample: {
      steps: planned.length,
      tokens: total('tokens'),
      predictions: total('predictions'),
      /** Pairs of a token and one whose score is computed for it, whether or not it may be seen. */
      seen: total('seen'),
    },
    bytes: {
      none: Math.round(still + activationBytes(config, largest, false, chooseHeadChunk(job, config, false))),
      layers: Math.round(still + activationBytes(config, largest, true, chooseHeadChunk(job, config, true))),
    },
    trainable,
  }
}

/** Bytes a weight of the layers: in NF4, half a one and a scale for 64; in 8 bits, one for each direction. */
const layerWeightBytes = { float32: 4, nf4: 0.5 + 4 / 64, int8: 2 }

/** The weights as they are held. */
function frozenBytes(config: ModelConfig, { model: { base = 'float32' } }: TrainingJob): number {
  let layers = 0
  for (const [outputs, inputs] of quantisedShapes(config).values()) layers += outputs * inputs
  return weightBytes(config) - layers * (4 - layerWeightBytes[base])
}

/** What learns beside gradient, two moments and ONNX Runtime's copies; frozen weights, packed once for each direction or mapped as they lie. */
function stateBytes(modelBytes: number, held: 'learning' | 'mapped' | 'packed', trainable: number): number {
  if (held === 'learning') return 6 * modelBytes
  return (held === 'mapped' ? 1 : 3) * modelBytes + 5 * 4 * trainable
}

/** Float32 arrays that the backward pass keeps from the forward one, for one micro-batch. */
function activationBytes(
  config: ModelConfig,
  { tokens, predictions, seen }: { tokens: number; predictions: number; seen: number },
  recomputed: boolean,
  chunk: number,
): number {
  const attention = config.heads * config.headWidth
  const keyValue = config.keyValueHeads * config.headWidth
  // Large models compute norms, gates and attention's shares again.
  const [norms, gates, shares] = isLarge(config) ? [3, 2, 0] : [5, 4, 1]
  const widths = norms * config.width + 3 * attention + 4 * keyValue + gates * config.feedForwardWidth
  const layer = tokens * widths + shares * config.heads * seen
  const kept = recomputed ? config.layers * tokens * config.width + layer : config.layers * layer
  const logits = 2 * Math.min(predictions, chunk || predictions) * config.vocabularySize
  // One layer's gradients stand beside what is kept.
  return 4 * (kept + layer + logits)
}

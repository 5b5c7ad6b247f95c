// The learner: compiled step and forward graphs over weights that are updated in place.
import { internal } from '../../base/errors.ts'
import type { Random } from '../../base/random.ts'
import { type Checkpoint, weightBytes } from '../../model/checkpoint.ts'
import type { ModelConfig } from '../../model/config.ts'
import { biasName, blockTokens, countBlocks, farBiasName } from '../../model/forward.ts'
import { embeddingName, noiseWidth } from '../../model/weights.ts'
import { checkInt8Products } from '../../runtime/int8-check.ts'
import { compile, type Executable, type Tensor } from '../../runtime/session.ts'
import type { Batch } from '../../training/batch.ts'
import { placeWeights, type Segments, viewSegment } from '../../training/flat-weights.ts'
import type { ObjectiveWeights } from '../../training/objective.ts'
import { gradientNorm, type Moments, type OptimizerSettings, updateWeights } from '../../training/optimizer.ts'
import {
  buildForward,
  buildStep,
  gradientOutput,
  type StepGraphOptions,
  trainableShapes,
} from '../../training/step-graph.ts'

export interface LearnerOptions extends StepGraphOptions {
  /** Where the frozen weights come from. */
  checkpoint: Pick<Checkpoint, 'config' | 'folder' | 'place' | 'base'>
  threads: number
  /** Whether to compile the step, the forward pass, or both. */
  graphs: { step: boolean; forward: boolean }
}

const embeddedGradient = gradientOutput('embedded')

/** Frozen weights of models up to 64 MiB of float32 are packed by each session, which gains where rows are few; larger ones' are mapped. */
export const isLarge = (config: ModelConfig): boolean => weightBytes(config) > 64 * 2 ** 20

/** A graph compiled for the number of attention blocks of a batch's rows: one at a time, since each session keeps its working memory. */
class BlockedGraph {
  private readonly build: (blocks: number) => Promise<Executable>
  private current: { blocks: number; executable: Executable } | undefined

  constructor(build: (blocks: number) => Promise<Executable>) {
    this.build = build
  }

  async open(blocks: number): Promise<Executable> {
    if (this.current?.blocks !== blocks) {
      await this.release()
      this.current = { blocks, executable: await this.build(blocks) }
    }
    return this.current.executable
  }

  async release(): Promise<void> {
    await this.current?.executable.release()
    this.current = undefined
  }
}

export class Learner {
  readonly segments: Segments
  /** All that learns, flat: filled by the caller before the first run. */
  readonly weights: Float32Array
  readonly gradient: Float32Array
  readonly moments: Moments
  private readonly config: ModelConfig
  private readonly step: BlockedGraph | undefined
  private readonly forward: BlockedGraph | undefined
  private readonly feeds: Record<string, Tensor>
  private readonly table: Float32Array | undefined
  private readonly noiseWidth: number
  private scratch: Float32Array | undefined

  private constructor(options: LearnerOptions, step: BlockedGraph | undefined, forward: BlockedGraph | undefined) {
    const { segments, length } = placeWeights(trainableShapes(options.checkpoint.config, options.learning))
    const learns = step === undefined ? 0 : length
    this.config = options.checkpoint.config
    const { learning, dropout = 0 } = options
    this.noiseWidth = dropout > 0 && learning.kind === 'lora' ? noiseWidth(this.config, learning.lora) : 0
    this.step = step
    this.forward = forward
    this.segments = segments
    this.weights = new Float32Array(length)
    this.gradient = new Float32Array(learns)
    this.moments = { mean: new Float32Array(learns), square: new Float32Array(learns) }
    this.feeds = this.viewTensors(this.weights)
    this.table = this.feeds[embeddingName]?.data as Float32Array | undefined
  }

  static async compile(options: LearnerOptions): Promise<Learner> {
    const { checkpoint, threads } = options
    if (checkpoint.base === 'int8') await checkInt8Products(threads)
    const { config } = checkpoint
    const shared = {
      weights: checkpoint.place,
      weightsFolder: checkpoint.folder,
      threads,
      mapWeights: isLarge(config),
    }
    const graphOptions = { ...options, base: checkpoint.base }
    const step = new BlockedGraph((blocks) => compile(buildStep(config, graphOptions, blocks).outputs, shared))
    const forward = new BlockedGraph((blocks) => compile(buildForward(config, graphOptions, blocks).outputs, shared))
    const { graphs, positions } = options
    if (graphs.step) await step.open(countBlocks(positions))
    if (graphs.forward) await forward.open(countBlocks(positions))
    return new Learner(options, graphs.step ? step : undefined, graphs.forward ? forward : undefined)
  }

  /** The part of `weights` that belongs to a tensor. */
  view(name: string): Float32Array {
    return (this.feeds[name] ?? internal(`${name} does not learn`)).data as Float32Array
  }

  /** The log-probabilities [N] of a batch's targets. */
  async score(batch: Batch): Promise<Float32Array> {
    const forward = await (this.forward ?? internal('no forward graph')).open(countBlocks(batch.tokens))
    const { logProbabilities } = await forward.run(this.feed(batch))
    return logProbabilities!.data as Float32Array
  }

  /**
   * Forward and backward: puts the gradient into `gradient`, or adds it where `accumulate` says so. `random` draws dropout's noise.
   * Returns the log-probabilities [N] of the targets.
   */
  async differentiate(
    batch: Batch,
    objective: ObjectiveWeights,
    accumulate: boolean,
    random?: Random,
  ): Promise<Float32Array> {
    if (accumulate) this.scratch ??= new Float32Array(this.gradient.length)
    const target = accumulate ? (this.scratch ?? internal('no scratch')) : this.gradient
    const into = Object.fromEntries(
      Object.entries(this.viewTensors(target)).map(([name, tensor]) => [gradientOutput(name), tensor]),
    )
    const step = await (this.step ?? internal('no step graph')).open(countBlocks(batch.tokens))
    const results = await step.run(
      { ...this.feed(batch), ...feedObjective(objective), ...this.drawNoise(batch, random) },
      into,
    )
    const rows = results[embeddedGradient]?.data as Float32Array | undefined
    if (rows !== undefined) this.addRows(into[gradientOutput(embeddingName)]?.data as Float32Array, batch, rows)
    if (accumulate) for (let i = 0; i < target.length; i++) this.gradient[i]! += target[i]!
    return results.logProbabilities!.data as Float32Array
  }

  /** Updates the weights by `gradient`; returns its norm before clipping, and changes nothing where that is no number. */
  update(step: number, learningRate: number, settings: OptimizerSettings): number {
    const norm = gradientNorm(this.gradient)
    if (Number.isFinite(norm)) {
      updateWeights(this.segments, this.weights, this.gradient, this.moments, step, learningRate, norm, settings)
    }
    return norm
  }

  async release(): Promise<void> {
    await this.step?.release()
    await this.forward?.release()
  }

  private viewTensors(flat: Float32Array): Record<string, Tensor> {
    return Object.fromEntries(
      this.segments.map((segment) => [segment.name, { shape: segment.shape, data: viewSegment(flat, segment) }]),
    )
  }

  private feed(batch: Batch): Record<string, Tensor> {
    const { rows, tokens } = batch
    return {
      ...this.feeds,
      ...(this.table === undefined
        ? { tokenIds: { shape: [rows * tokens], data: batch.tokenIds } }
        : { embedded: { shape: [rows * tokens, this.config.width], data: this.lookUp(this.table, batch.tokenIds) } }),
      positions: { shape: [rows, tokens], data: batch.positions },
      ...feedBiases(batch),
      lossPositions: { shape: [batch.lossPositions.length], data: batch.lossPositions },
      targets: { shape: [batch.targets.length], data: batch.targets },
      predictionOf: { shape: [rows * tokens], data: batch.predictionOf },
    }
  }

  private drawNoise({ rows, tokens }: Batch, random: Random | undefined): Record<string, Tensor> {
    if (this.noiseWidth === 0) return {}
    const data = new Int32Array(rows * tokens * this.noiseWidth)
    ;(random ?? internal('no random numbers for dropout')).fillBits(data)
    return { dropoutNoise: { shape: [rows * tokens, this.noiseWidth], data } }
  }

  private lookUp(table: Float32Array, tokenIds: Int32Array): Float32Array {
    const { width } = this.config
    const embedded = new Float32Array(tokenIds.length * width)
    for (let i = 0; i < tokenIds.length; i++) {
      const start = tokenIds[i]! * width
      embedded.set(table.subarray(start, start + width), i * width)
    }
    return embedded
  }

  /** Adds the gradients of looked-up rows to the table's, which holds the head's already where the two are one. */
  private addRows(tableGradient: Float32Array, { tokenIds }: Batch, rows: Float32Array): void {
    const { width, tiedEmbeddings } = this.config
    if (!tiedEmbeddings) tableGradient.fill(0)
    for (let i = 0; i < tokenIds.length; i++) {
      const to = tokenIds[i]! * width
      const from = i * width
      for (let j = 0; j < width; j++) tableGradient[to + j]! += rows[from + j]!
    }
  }
}

/** Each block's rows of the bias, cut to what the block sees. */
function feedBiases({ rows, tokens, attentionBias, seen }: Batch): Record<string, Tensor> {
  if (seen.length === 1) return { [biasName(0)]: { shape: [rows, 1, tokens, tokens], data: attentionBias } }
  const feeds: Record<string, Tensor> = {}
  for (const [block, { size, far, near }] of seen.entries()) {
    const start = block * blockTokens
    const cut = (firstKey: number, keys: number): Tensor => {
      const data = new Float32Array(rows * size * keys)
      for (let row = 0, to = 0; row < rows; row++) {
        for (let token = start; token < start + size; token++, to += keys) {
          const from = (row * tokens + token) * tokens + firstKey
          data.set(attentionBias.subarray(from, from + keys), to)
        }
      }
      return { shape: [rows, 1, size, keys], data }
    }
    if (block > 0) feeds[farBiasName(block)] = cut(0, far)
    feeds[biasName(block)] = cut(start + size - near, near)
  }
  return feeds
}

function feedObjective({ tokenWeights, pairs }: ObjectiveWeights): Record<string, Tensor> {
  const size = tokenWeights.length
  const feeds: Record<string, Tensor> = { tokenWeights: { shape: [size], data: tokenWeights } }
  if (pairs === undefined) return feeds
  return {
    ...feeds,
    pairMatrix: { shape: [pairs.count, size], data: pairs.matrix },
    pairWeights: { shape: [pairs.count], data: pairs.weights },
    referenceMargins: { shape: [pairs.count], data: pairs.referenceMargins },
  }
}

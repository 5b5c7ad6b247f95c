// A model's weights as graph values: their names and shapes as Hugging Face and PEFT write them, LoRA branches, which ones learn.
import { adapterScale } from '../formats/adapter.ts'
import { blockShapes } from '../formats/block-integers.ts'
import type { HeldForm } from '../formats/quantised-forms.ts'
import { add, dropout, input, matmul, matmulBlocks, matmulInt8, matmulNf4, parameter } from '../graph/build.ts'
import { dropoutMultiplier } from '../graph/dropout.ts'
import type { Value } from '../graph/value.ts'
import type { ModelConfig } from './config.ts'

/** The linear layers of a decoder block by their own names, with the block they stand in. */
export const linearLayers = {
  q_proj: 'self_attn',
  k_proj: 'self_attn',
  v_proj: 'self_attn',
  o_proj: 'self_attn',
  gate_proj: 'mlp',
  up_proj: 'mlp',
  down_proj: 'mlp',
} as const
export type LinearLayer = keyof typeof linearLayers

/** An adapter's shape (Hu et al. 2021): W x + scale B A x on the named linear layers of every block; see adapterScale. */
export interface LoraShape {
  rank: number
  alpha: number
  rankStabilised?: boolean
  targetModules: readonly string[]
}

export const embeddingName = 'model.embed_tokens.weight'
export const headName = (config: ModelConfig): string => (config.tiedEmbeddings ? embeddingName : 'lm_head.weight')

/** A linear layer's full name without ending: 'model.layers.0.mlp.up_proj'. */
export function layerName(layer: number, name: LinearLayer): string {
  return `model.layers.${layer}.${linearLayers[name]}.${name}`
}

/** The norm of every head's queries or keys, [headWidth] (Qwen3). */
export function headNormName(layer: number, of: 'q' | 'k'): string {
  return `model.layers.${layer}.self_attn.${of}_norm.weight`
}

/** Output and input sizes of a linear layer: the shape of its weight. */
function linearShape(config: ModelConfig, name: LinearLayer): [number, number] {
  const attention = config.heads * config.headWidth
  const keyValue = config.keyValueHeads * config.headWidth
  const shapes: Record<LinearLayer, [number, number]> = {
    q_proj: [attention, config.width],
    k_proj: [keyValue, config.width],
    v_proj: [keyValue, config.width],
    o_proj: [config.width, attention],
    gate_proj: [config.feedForwardWidth, config.width],
    up_proj: [config.feedForwardWidth, config.width],
    down_proj: [config.width, config.feedForwardWidth],
  }
  return shapes[name]
}

/** Every tensor of the model with its shape, in a fixed order. */
export function weightShapes(config: ModelConfig): Map<string, number[]> {
  const shapes = new Map<string, number[]>([[embeddingName, [config.vocabularySize, config.width]]])
  for (let layer = 0; layer < config.layers; layer++) {
    shapes.set(`model.layers.${layer}.input_layernorm.weight`, [config.width])
    shapes.set(`model.layers.${layer}.post_attention_layernorm.weight`, [config.width])
    if (config.headNorms) {
      shapes.set(headNormName(layer, 'q'), [config.headWidth])
      shapes.set(headNormName(layer, 'k'), [config.headWidth])
    }
    for (const name of Object.keys(linearLayers) as LinearLayer[]) {
      const [outputs, inputs] = linearShape(config, name)
      shapes.set(`${layerName(layer, name)}.weight`, [outputs, inputs])
      if (hasBias(config, name)) shapes.set(`${layerName(layer, name)}.bias`, [outputs])
    }
  }
  shapes.set('model.norm.weight', [config.width])
  if (!config.tiedEmbeddings) shapes.set('lm_head.weight', [config.vocabularySize, config.width])
  return shapes
}

function hasBias(config: ModelConfig, name: LinearLayer): boolean {
  if (linearLayers[name] === 'mlp') return config.feedForwardBias
  return name === 'o_proj' ? config.outputBias : config.attentionBias
}

/** How frozen linear layers are held; in blocks, the head too. */
export type BaseForm = HeldForm | 'blocks'

/** The tensors that stand for a linear layer's weight in NF4. */
export const nf4Names = (weight: string) => ({ codes: `${weight}.nf4`, scales: `${weight}.nf4.scales` })

/** The tensors that stand for a linear layer's weight in 8 bits. */
export const int8Names = (weight: string) => ({
  codes: `${weight}.int8`,
  transposed: `${weight}.int8.transposed`,
  scales: `${weight}.int8.scales`,
})

/** The tensors that stand for a weight in 8-bit blocks. */
export const blockNames = (weight: string) => ({ codes: `${weight}.blocks`, scales: `${weight}.blocks.scales` })

/** Weights a scale: 128 is quickest; smaller ones are hardly more exact (docs/decisions, 8 bits in the sampler). */
export const blockLength = 128

/** How many numbers tensors of these shapes hold. */
export function countValues(shapes: ReadonlyMap<string, readonly number[]>): number {
  let count = 0
  for (const shape of shapes.values()) count += shape.reduce((a, b) => a * b, 1)
  return count
}

/** The weights that NF4 and 8 bits change, with their shapes: all linear layers' but the head's, as PEFT and bitsandbytes have it. */
export function quantisedShapes(config: ModelConfig): Map<string, [number, number]> {
  const shapes = new Map<string, [number, number]>()
  for (let layer = 0; layer < config.layers; layer++) {
    for (const name of Object.keys(linearLayers) as LinearLayer[]) {
      shapes.set(`${layerName(layer, name)}.weight`, linearShape(config, name))
    }
  }
  return shapes
}

/** Every tensor of an adapter with its shape: '<layer>.lora_A.weight' [rank, inputs], '<layer>.lora_B.weight' [outputs, rank]. */
export function adapterShapes(config: ModelConfig, lora: LoraShape): Map<string, number[]> {
  const shapes = new Map<string, number[]>()
  for (let layer = 0; layer < config.layers; layer++) {
    for (const name of Object.keys(linearLayers) as LinearLayer[]) {
      if (!lora.targetModules.includes(name)) continue
      const [outputs, inputs] = linearShape(config, name)
      shapes.set(`${layerName(layer, name)}.lora_A.weight`, [lora.rank, inputs])
      shapes.set(`${layerName(layer, name)}.lora_B.weight`, [outputs, lora.rank])
    }
  }
  return shapes
}

export const rotaryNames = { cos: 'rotary.cos', sin: 'rotary.sin' } as const

/** Radians a position of each pair of dimensions, [headWidth / 2] (Su et al. 2021, eq. 15), scaled as Llama 3 does. */
export function rotaryFrequencies({ headWidth, rotaryBase, rotaryScaling: scaling }: ModelConfig): number[] {
  const half = headWidth / 2
  const frequencies = Array.from({ length: half }, (_, i) => rotaryBase ** (-i / half))
  if (scaling === undefined) return frequencies
  const { factor, lowFrequencyFactor: low, highFrequencyFactor: high, originalContextTokens } = scaling
  return frequencies.map((frequency) => {
    const turns = (originalContextTokens * frequency) / (2 * Math.PI) // over the original context
    const kept = Math.min(1, Math.max(0, (turns - low) / (high - low)))
    return frequency * (kept + (1 - kept) / factor)
  })
}

/** cos and sin of position x frequency, each [positions, headWidth / 2]; computed in double. */
export function rotaryTables(config: ModelConfig, positions: number): { cos: Float32Array; sin: Float32Array } {
  const half = config.headWidth / 2
  const frequencies = rotaryFrequencies(config)
  const angle = (i: number) => Math.floor(i / half) * frequencies[i % half]!
  const size = { length: positions * half }
  return {
    cos: Float32Array.from(size, (_, i) => Math.cos(angle(i))),
    sin: Float32Array.from(size, (_, i) => Math.sin(angle(i))),
  }
}

/** What an adapter leaves out of its inputs in training (Srivastava et al. 2014), by the operation `dropout`. */
export interface LoraDropout {
  share: number
  /** int32 [N, noiseWidth] */
  noise: Value
}

/** Columns of noise that an adapter's layers need: as many as the widest has inputs. */
export function noiseWidth(config: ModelConfig, lora: LoraShape): number {
  const known = (Object.keys(linearLayers) as LinearLayer[]).filter((name) => lora.targetModules.includes(name))
  return Math.max(...known.map((name) => linearShape(config, name)[1]))
}

/** Hands out a model's weights as values, each once: trainable ones as inputs of the graph, the others as parameters. */
export class Weights {
  readonly config: ModelConfig
  /** The trainable weights handed out so far, by name. */
  readonly inputs = new Map<string, Value>()
  private readonly values = new Map<string, Value>()
  private readonly shapes: Map<string, number[]>
  private readonly lora: LoraShape | undefined
  private readonly dropout: LoraDropout | undefined
  private readonly base: BaseForm
  private readonly isTrainable: (name: string) => boolean

  /** `positions` is the length of the rotary tables: the longest sequence that the graph will see. */
  constructor(
    config: ModelConfig,
    options: {
      positions: number
      lora?: LoraShape | undefined
      dropout?: LoraDropout | undefined
      base?: BaseForm | undefined
      isTrainable?: (name: string) => boolean
    },
  ) {
    this.config = config
    this.lora = options.lora
    this.dropout = options.dropout
    this.base = options.base ?? 'float32'
    this.isTrainable = options.isTrainable ?? (() => false)
    this.shapes = weightShapes(config)
    const table = [options.positions, config.headWidth / 2]
    this.shapes.set(rotaryNames.cos, table).set(rotaryNames.sin, table)
    if (options.lora) for (const [name, shape] of adapterShapes(config, options.lora)) this.shapes.set(name, shape)
  }

  has(name: string): boolean {
    return this.shapes.has(name)
  }

  get(name: string): Value {
    const known = this.values.get(name)
    if (known) return known
    const shape = this.shapes.get(name)!
    const trainable = this.isTrainable(name)
    const value = trainable ? input(name, shape) : parameter(name, shape)
    if (trainable) this.inputs.set(name, value)
    this.values.set(name, value)
    return value
  }

  /** x [N, inputs] -> [N, outputs]: the layer's product, its bias and its LoRA branch, as far as it has them. */
  applyLinear(x: Value, layer: number, name: LinearLayer): Value {
    const full = layerName(layer, name)
    let y = this.multiply(x, `${full}.weight`)
    if (this.has(`${full}.bias`)) y = add(y, this.get(`${full}.bias`))
    if (this.lora && this.has(`${full}.lora_A.weight`)) {
      const { share = 0, noise } = this.dropout ?? {}
      const seen = noise === undefined ? x : dropout(x, noise, share, dropoutMultiplier(full))
      const down = matmul(seen, this.get(`${full}.lora_A.weight`), { transposeB: true })
      const scale = adapterScale(this.lora) / (1 - share) // what is left stands for the whole
      y = add(y, matmul(down, this.get(`${full}.lora_B.weight`), { transposeB: true, scale }))
    }
    return y
  }

  /** hidden [N, width] -> logits [N, vocabulary]. */
  applyHead(hidden: Value): Value {
    const weight = headName(this.config)
    if (this.base === 'blocks') return this.multiply(hidden, weight)
    return matmul(hidden, this.get(weight), { transposeB: true })
  }

  /** x·Wᵀ by a frozen weight as it is held. */
  private multiply(x: Value, weight: string): Value {
    if (this.base === 'float32') return matmul(x, this.get(weight), { transposeB: true })
    const [outputs, inputs] = this.shapes.get(weight) as [number, number]
    if (this.base === 'int8') {
      const names = int8Names(weight)
      return matmulInt8(x, {
        codes: this.share(names.codes, () => parameter(names.codes, [outputs, inputs], 'int8')),
        transposed: this.share(names.transposed, () => parameter(names.transposed, [inputs, outputs], 'int8')),
        scales: this.share(names.scales, () => parameter(names.scales, [outputs])),
      })
    }
    if (this.base === 'blocks') {
      const names = blockNames(weight)
      const shapes = blockShapes([outputs, inputs], blockLength)
      const codes = this.share(names.codes, () => parameter(names.codes, shapes.codes, 'uint8'))
      const scales = this.share(names.scales, () => parameter(names.scales, shapes.scales))
      return matmulBlocks(x, codes, scales, { inputs })
    }
    const names = nf4Names(weight)
    const codes = this.share(names.codes, () => parameter(names.codes, [(outputs * inputs) / 2], 'uint8'))
    const scales = this.share(names.scales, () => parameter(names.scales, [(outputs * inputs) / 64]))
    return matmulNf4(x, codes, scales, { outputs, inputs, backward: false })
  }

  private share(name: string, make: () => Value): Value {
    const value = this.values.get(name) ?? make()
    this.values.set(name, value)
    return value
  }
}

import { join } from 'node:path'
import { UserError } from '../base/errors.ts'
import { exists, readJson, writeJson } from '../base/files.ts'
import { readSafetensorsHeader, readTensor, type StoredTensor } from './safetensors.ts'
import { type TensorSource, writeSafetensors } from './safetensors-writer.ts'

const configFile = 'adapter_config.json'
const adapterWeightsFile = 'adapter_model.safetensors'
const prefix = 'base_model.model.'

/** What a LoRA adapter is, apart from its weights. */
export interface AdapterConfig {
  rank: number
  /** Sets the scale of the product B·A, see adapterScale. */
  alpha: number
  /** PEFT's use_rslora: the scale falls with the root of the rank (Kalajdzievski 2023), so that high ranks learn as quickly. */
  rankStabilised?: boolean
  /** What it was trained with, for people; it changes nothing once trained. */
  dropout?: number
  /** Names of linear layers, e.g. 'q_proj'; of an adapter read, those that it has weights for. */
  targetModules: string[]
  /** The folder that it was trained on, for people; nothing is loaded from here. */
  baseModel: string
}

/** What the product B·A is scaled by: alpha / rank, or alpha / sqrt(rank) where rank-stabilised. */
export function adapterScale({
  rank,
  alpha,
  rankStabilised,
}: Pick<AdapterConfig, 'rank' | 'alpha' | 'rankStabilised'>) {
  return alpha / (rankStabilised ? Math.sqrt(rank) : rank)
}

/** The two factors of one linear layer's update: weight + scale x B·A. */
export interface AdapterFactors<T> {
  /** [rank, inputs] */
  a: T
  /** [outputs, rank] */
  b: T
}

/** An adapter folder opened: `layers` is keyed by the model's weight name, e.g. 'model.layers.0.self_attn.q_proj.weight'. */
export interface Adapter {
  folder: string
  config: AdapterConfig
  layers: Map<string, AdapterFactors<StoredTensor>>
}

/** The name in PEFT's file of one factor of a weight of the model. */
export function adapterTensorName(weight: string, factor: 'a' | 'b'): string {
  return `${prefix}${weight.replace(/\.weight$/, '')}.lora_${factor.toUpperCase()}.weight`
}

/** Opens an adapter folder; what it holds beyond plain LoRA (DoRA, biases, ranks per layer) is a UserError. */
export async function openAdapter(folder: string): Promise<Adapter> {
  const config = { ...(await readConfig(folder)), targetModules: [] as string[] }
  const file = join(folder, adapterWeightsFile)
  if (!(await exists(file)) && (await exists(join(folder, 'adapter_model.bin')))) {
    throw new UserError(
      `${join(folder, 'adapter_model.bin')}: a pickle file of PyTorch. meikai does not open pickles, which can run code: save the adapter as safetensors.`,
    )
  }
  const { tensors } = await readSafetensorsHeader(file)
  const layers = new Map<string, AdapterFactors<StoredTensor>>()
  for (const name of tensors.keys()) {
    const match = /^base_model\.model\.(.+)\.lora_([AB])\.weight$/.exec(name)
    if (match === null) throw new UserError(`${file}: tensor ${name} is no part of a plain LoRA adapter.`)
    const layer = match[1] as string
    const a = tensors.get(`${prefix}${layer}.lora_A.weight`)
    const b = tensors.get(`${prefix}${layer}.lora_B.weight`)
    if (a === undefined || b === undefined) {
      throw new UserError(`${file}: ${layer} has lora_${a === undefined ? 'B but no lora_A' : 'A but no lora_B'}.`)
    }
    if (a.shape.length !== 2 || b.shape.length !== 2 || a.shape[0] !== config.rank || b.shape[1] !== config.rank) {
      throw new UserError(
        `${file}: ${layer} has lora_A [${a.shape}] and lora_B [${b.shape}], which do not fit rank ${config.rank} of ${configFile}.`,
      )
    }
    layers.set(`${layer}.weight`, { a, b })
  }
  if (layers.size === 0) throw new UserError(`${file}: holds no LoRA weights.`)
  // PEFT's target_modules may be a pattern or a part of a path; the tensors say what it came to.
  config.targetModules = [...new Set([...layers.keys()].map((name) => name.split('.').at(-2) ?? name))]
  return { folder, config, layers }
}

async function readConfig(folder: string): Promise<Omit<AdapterConfig, 'targetModules'>> {
  const path = join(folder, configFile)
  const value = await readJson(path)
  if (typeof value !== 'object' || value === null) throw new UserError(`${path}: not a JSON object.`)
  const config = value as Record<string, unknown>
  if (config.peft_type !== 'LORA') {
    throw new UserError(`${path}: peft_type is ${JSON.stringify(config.peft_type)}; only LORA adapters can be used.`)
  }
  for (const [key, plain] of Object.entries(unsupported)) {
    const given = config[key]
    if (given === undefined || given === null || given === plain) continue
    if (typeof given === 'object' && Object.keys(given).length === 0) continue
    throw new UserError(`${path}: ${key} is ${JSON.stringify(given)}, which meikai does not know how to apply.`)
  }
  if (!plainInitialisations.includes(config.init_lora_weights)) {
    throw new UserError(
      `${path}: init_lora_weights is ${JSON.stringify(config.init_lora_weights)}: such an adapter stands on changed weights, not on the model's own. Convert it to plain LoRA when saving (path_initial_model_for_weight_conversion in PEFT).`,
    )
  }
  const { r, lora_alpha: alpha, use_rslora: rankStabilised = false } = config
  if (!Number.isInteger(r) || (r as number) < 1) throw new UserError(`${path}: r must be a whole number of 1 or more.`)
  if (typeof alpha !== 'number' || !Number.isFinite(alpha)) throw new UserError(`${path}: lora_alpha must be a number.`)
  if (typeof rankStabilised !== 'boolean') throw new UserError(`${path}: use_rslora must be true or false.`)
  const baseModel = String(config.base_model_name_or_path ?? '')
  return { rank: r as number, alpha, rankStabilised, baseModel }
}

/** Settings of PEFT that change what an adapter does, with the value that plain LoRA has. */
const unsupported: Record<string, unknown> = {
  bias: 'none',
  fan_in_fan_out: false,
  use_dora: false,
  lora_bias: false,
  modules_to_save: null,
  rank_pattern: null,
  alpha_pattern: null,
  trainable_token_indices: null,
  layer_replication: null,
  alora_invocation_tokens: null,
  arrow_config: null,
  kasa_config: null,
  monteclora_config: null,
  target_parameters: null,
  use_bdlora: false,
  use_qalora: false,
}

/** Ranks that vLLM takes and reserves room for (MaxLoRARanks). */
export const vllmRanks = [1, 8, 16, 32, 64, 128, 256, 320, 512]

/** Ways to draw the first factors that leave the model's own weights as they are. Others (PiSSA, OLoRA, CorDA, LoftQ) change them too. */
const plainInitialisations: unknown[] = [undefined, true, false, 'gaussian', 'eva', 'orthogonal']

/** Reads both factors of every layer. */
export async function readAdapter(adapter: Adapter): Promise<Map<string, AdapterFactors<Float32Array>>> {
  const layers = new Map<string, AdapterFactors<Float32Array>>()
  for (const [name, { a, b }] of adapter.layers) layers.set(name, { a: await readTensor(a), b: await readTensor(b) })
  return layers
}

/** One layer's factors to write: `weight` is the model's name, shapes are a [rank, inputs] and b [outputs, rank]. */
export interface AdapterLayer extends AdapterFactors<Float32Array> {
  weight: string
  inputs: number
  outputs: number
}

/** Writes an adapter that PEFT loads into a folder that exists. */
export async function writeAdapter(folder: string, config: AdapterConfig, layers: AdapterLayer[]): Promise<void> {
  const tensors = layers.flatMap(({ weight, inputs, outputs, a, b }): TensorSource[] => [
    { name: adapterTensorName(weight, 'a'), shape: [config.rank, inputs], read: () => a },
    { name: adapterTensorName(weight, 'b'), shape: [outputs, config.rank], read: () => b },
  ])
  await writeSafetensors(join(folder, adapterWeightsFile), tensors)
  await writeJson(join(folder, configFile), {
    peft_type: 'LORA',
    task_type: 'CAUSAL_LM',
    base_model_name_or_path: config.baseModel,
    r: config.rank,
    lora_alpha: config.alpha,
    lora_dropout: config.dropout ?? 0,
    target_modules: config.targetModules,
    bias: 'none',
    fan_in_fan_out: false,
    init_lora_weights: true,
    inference_mode: true,
    modules_to_save: null,
    use_dora: false,
    use_rslora: config.rankStabilised ?? false,
  })
}

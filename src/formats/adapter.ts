// PEFT adapter folders (LoRA): adapter_config.json and adapter_model.safetensors, with PEFT's own tensor names.
import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { UserError } from '../base/errors.ts'
import { readJson, writeJson } from '../base/files.ts'
import { readSafetensorsHeader, readTensor, type StoredTensor } from './safetensors.ts'
import { type TensorSource, writeSafetensors } from './safetensors-writer.ts'

const configFile = 'adapter_config.json'
const adapterWeightsFile = 'adapter_model.safetensors'
const prefix = 'base_model.model.'

/** What a LoRA adapter is, apart from its weights. */
export interface AdapterConfig {
  rank: number
  /** The product B·A is scaled by alpha / rank. */
  alpha: number
  /** Names of linear layers, e.g. 'q_proj'. */
  targetModules: string[]
  /** The folder that it was trained on, for people; nothing is loaded from here. */
  baseModel: string
}

/** The two factors of one linear layer's update: weight + alpha / rank x B·A. */
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
  const config = await readConfig(folder)
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
  return { folder, config, layers }
}

async function readConfig(folder: string): Promise<AdapterConfig> {
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
  const { r, lora_alpha: alpha, target_modules: targets } = config
  if (!Number.isInteger(r) || (r as number) < 1) throw new UserError(`${path}: r must be a whole number of 1 or more.`)
  if (typeof alpha !== 'number' || !Number.isFinite(alpha)) throw new UserError(`${path}: lora_alpha must be a number.`)
  const targetModules = Array.isArray(targets) ? targets.map(String) : typeof targets === 'string' ? [targets] : []
  return { rank: r as number, alpha, targetModules, baseModel: String(config.base_model_name_or_path ?? '') }
}

/** Settings of PEFT that change what an adapter does, with the value that plain LoRA has. */
const unsupported: Record<string, unknown> = {
  bias: 'none',
  fan_in_fan_out: false,
  use_dora: false,
  use_rslora: false,
  lora_bias: false,
  modules_to_save: null,
  rank_pattern: null,
  alpha_pattern: null,
  trainable_token_indices: null,
  layer_replication: null,
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}

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
    lora_dropout: 0,
    target_modules: config.targetModules,
    bias: 'none',
    fan_in_fan_out: false,
    init_lora_weights: true,
    inference_mode: true,
    modules_to_save: null,
    use_dora: false,
    use_rslora: false,
  })
}

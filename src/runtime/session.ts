// Compiled graphs: ONNX Runtime sessions that run on the CPU. The only file that imports onnxruntime-node.
import { isAbsolute } from 'node:path'
import * as ort from 'onnxruntime-node'
import { internal } from '../base/errors.ts'
import type { Shape } from '../graph/shape.ts'
import { ruleFor, sortValues, type Value } from '../graph/value.ts'
import { bytesOf, Emitter } from './emitter.ts'
import { onnxRules } from './onnx-rules.ts'
import { encodeModel, type OnnxPort } from './protobuf.ts'

/** A dense row-major tensor. Feeds are read in place, so an array may be changed between runs. */
export interface Tensor {
  shape: readonly number[]
  data: Float32Array | Int32Array
}

/** A frozen weight: in memory, or its bytes at a place in a file of the weights' folder. */
export type FrozenWeight =
  | { shape: readonly number[]; data: Float32Array | Uint8Array }
  | { shape: readonly number[]; file: string; offset: number; bytes: number }

export interface CompileOptions {
  /** Frozen weights by parameter name. */
  weights?: (name: string) => FrozenWeight
  /** The folder that weights' files lie in, links resolved. */
  weightsFolder?: string
  threads: number
  /**
   * Use frozen weights as they lie instead of packing a copy for each product. Files are then mapped: opening takes no time
   * and no memory, and products of 64 rows and more are as fast; products of few rows take up to twice as long.
   */
  mapWeights?: boolean
}

/** A graph that is ready to run. */
export class Executable {
  private readonly session: ort.InferenceSession
  private readonly shapes: ReadonlyMap<string, Shape>

  constructor(session: ort.InferenceSession, shapes: ReadonlyMap<string, Shape>) {
    this.session = session
    this.shapes = shapes
  }

  /**
   * Runs the graph. Every input must be fed; `into` gives arrays of the right size that results are written to,
   * so that large ones (gradients) are not allocated anew at each run.
   */
  async run(feeds: Record<string, Tensor>, into: Record<string, Tensor> = {}): Promise<Record<string, Tensor>> {
    const inputs: Record<string, ort.Tensor> = {}
    for (const [name, shape] of this.shapes) {
      const feed = feeds[name] ?? internal(`the graph's input '${name}' is not fed`)
      if (
        feed.shape.length !== shape.length ||
        shape.some((dim, i) => typeof dim === 'number' && dim !== feed.shape[i])
      ) {
        internal(`input '${name}' has shape [${feed.shape}], not [${shape}]`)
      }
      inputs[name] = toOrt(feed)
    }
    const outputs: Record<string, ort.Tensor | null> = {}
    for (const name of this.session.outputNames) outputs[name] = into[name] ? toOrt(into[name]) : null
    const results = await this.session.run(inputs, outputs)
    return Object.fromEntries(
      Object.entries(results).map(([name, { dims, data }]) => [
        name,
        into[name] ?? { shape: dims, data: data as Float32Array },
      ]),
    )
  }

  /** Frees the session's memory, its packed weights above all. */
  async release(): Promise<void> {
    await this.session.release()
  }
}

/**
 * Compiles the graph that the outputs reach. Outputs are called by their keys, inputs by their own names.
 * The last output is computed first, with all that it needs, then the one before it, and so on.
 */
export async function compile(outputs: Record<string, Value>, options: CompileOptions): Promise<Executable> {
  const values = sortValues(Object.values(outputs))
  const emitter = new Emitter(new Set(values.map(({ operation }) => operation)))
  const inputs = values.filter((value): value is Value<'input'> => value.operation === 'input')
  const ports = inputs.map(({ attributes, shape, dtype }): OnnxPort => {
    emitter.bindDims(attributes.name, shape)
    return { name: attributes.name, type: dtype, shape }
  })

  const names = new Map<Value, string>()
  for (const value of orderNodes(values, outputs)) {
    if (value.operation === 'input') names.set(value, (value as Value<'input'>).attributes.name)
    else if (value.operation === 'parameter')
      names.set(value, emitParameter(emitter, value as Value<'parameter'>, options))
    else {
      const from = value.inputs.map((input) => names.get(input)!)
      names.set(value, ruleFor(onnxRules, value)(value, emitter, from))
    }
  }
  const results = Object.entries(outputs).map(([name, value]): OnnxPort => {
    emitter.rename(names.get(value)!, name)
    return { name, type: value.dtype, shape: value.shape }
  })

  const bytes = encodeModel(emitter.finish('graph', ports, results, knownShapes(values, names)))
  const session = await ort.InferenceSession.create(bytes, {
    executionProviders: ['cpu'],
    intraOpNumThreads: options.threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
    enableMemPattern: false, // saves memory at no cost where shapes vary
    logSeverityLevel: 3,
    extra: {
      session: {
        ...(options.weightsFolder ? { model_external_initializers_file_folder_path: options.weightsFolder } : {}),
        ...(options.mapWeights ? { disable_prepacking: '1' } : {}),
      },
    },
  })
  return new Executable(session, new Map(inputs.map(({ attributes, shape }) => [attributes.name, shape])))
}

/**
 * Values in the order of their nodes: what is an output and nothing else stands last, in the order of the outputs.
 * ONNX Runtime starts from the last such node and computes what it needs; memory is given back between two of them.
 */
function orderNodes(values: readonly Value[], outputs: Record<string, Value>): Value[] {
  const used = new Set(values.flatMap(({ inputs }) => inputs))
  const last = new Set(Object.values(outputs).filter((value) => !used.has(value)))
  return [...values.filter((value) => !last.has(value)), ...last]
}

/**
 * The values between inputs and outputs with their shapes. ONNX Runtime looks for a free buffer of the same shape for each of them; of
 * symbolic dimensions that it infers itself no two agree, and its search through all that were ever freed is quadratic: 49 s in
 * place of 4 for a step of 24 layers with ten blocks of attention.
 */
function knownShapes(values: readonly Value[], names: ReadonlyMap<Value, string>): OnnxPort[] {
  const known = new Map<string, OnnxPort>()
  for (const value of values) {
    if (['input', 'parameter', 'constant'].includes(value.operation)) continue
    const name = names.get(value)!
    known.set(name, { name, type: value.dtype, shape: value.shape })
  }
  return [...known.values()]
}

function emitParameter(
  emitter: Emitter,
  { attributes: { name }, shape, dtype }: Value<'parameter'>,
  options: CompileOptions,
) {
  const weight = options.weights?.(name) ?? internal(`no weight is given for the parameter '${name}'`)
  if (weight.shape.length !== shape.length || weight.shape.some((size, i) => size !== shape[i])) {
    internal(`the weight '${name}' has shape [${weight.shape}], not [${shape}]`)
  }
  if ('file' in weight && isAbsolute(weight.file)) internal(`'${weight.file}' must be relative to the weights' folder`)
  return emitter.tensor({
    name,
    type: dtype,
    shape: weight.shape,
    data: 'data' in weight ? bytesOf(weight.data) : weight,
  })
}

function toOrt({ data, shape }: Tensor): ort.Tensor {
  return data instanceof Float32Array ? new ort.Tensor('float32', data, shape) : new ort.Tensor('int32', data, shape)
}

// The ONNX graph under construction: unique names, constants, and shapes that are known only when the graph runs.
import { internal } from '../base/errors.ts'
import type { Operation } from '../graph/operations.ts'
import { type Dim, type Shape, takeApart } from '../graph/shape.ts'
import type { OnnxAttribute, OnnxGraph, OnnxNode, OnnxPort, OnnxTensor } from './protobuf.ts'

/** Where one symbolic dimension can be read: the axis of a graph input. */
interface Place {
  input: string
  axis: number
}

/** Collects nodes and initialisers; asking twice for the same constant, dimension or shape gives the same name. */
export class Emitter {
  private readonly nodes: OnnxNode[] = []
  private readonly initialisers: OnnxTensor[] = []
  private readonly known = new Map<string, unknown>()
  private readonly places = new Map<string, Place>()
  private count = 0

  /** All that the graph computes, so that a rule may emit what two operations share once for both. */
  readonly operations: ReadonlySet<Operation>
  private readonly prefix: string

  constructor(operations: ReadonlySet<Operation>, prefix = 't') {
    this.operations = operations
    this.prefix = prefix
  }

  freshName(): string {
    return `${this.prefix}${this.count++}`
  }

  /** Adds a node with one output and returns the output's name. */
  node(operation: string, inputs: string[], attributes: Record<string, OnnxAttribute> = {}, domain = ''): string {
    return this.nodeWithOutputs(operation, inputs, 1, attributes, domain)[0]!
  }

  nodeWithOutputs(
    operation: string,
    inputs: string[],
    outputCount: number,
    attributes: Record<string, OnnxAttribute> = {},
    domain = '',
  ): string[] {
    const outputs = Array.from({ length: outputCount }, () => this.freshName())
    this.nodes.push({ operation, inputs, outputs, attributes, domain })
    return outputs
  }

  /** The result of `make`, made once for each key. */
  once<T>(key: string, make: () => T): T {
    if (!this.known.has(key)) this.known.set(key, make())
    return this.known.get(key) as T
  }

  tensor(tensor: OnnxTensor): string {
    this.initialisers.push(tensor)
    return tensor.name
  }

  floats(values: readonly number[], shape: readonly number[] = []): string {
    return this.once(`floats ${shape} : ${values}`, () =>
      this.tensor({ name: this.freshName(), type: 'float32', shape, data: bytesOf(Float32Array.from(values)) }),
    )
  }

  int32(value: number): string {
    return this.once(`int32 ${value}`, () =>
      this.tensor({ name: this.freshName(), type: 'int32', shape: [], data: bytesOf(Int32Array.of(value)) }),
    )
  }

  /** A one-dimensional int64 constant: what ONNX takes as shapes and axes. */
  int64s(values: readonly number[]): string {
    return this.once(`int64s ${values}`, () =>
      this.tensor({
        name: this.freshName(),
        type: 'int64',
        shape: [values.length],
        data: bytesOf(BigInt64Array.from(values, BigInt)),
      }),
    )
  }

  /** Remembers where the plain names in an input's shape can be read when the graph runs. */
  bindDims(inputName: string, shape: Shape): void {
    shape.forEach((dim, axis) => {
      if (typeof dim !== 'string' || takeApart(dim).operation !== 'name') return
      if (!this.places.has(dim)) this.places.set(dim, { input: inputName, axis })
    })
  }

  /** An int64 tensor [1] with the number of a dimension. */
  dim(dim: Dim): string {
    if (typeof dim === 'number') return this.int64s([dim])
    return this.once(`dim ${dim}`, () => {
      const { operation, parts } = takeApart(dim)
      if (operation !== 'name') {
        const [first, ...rest] = parts.map((part) => this.dim(part))
        if (operation === 'negation') return this.node('Neg', [first!])
        return rest.reduce((a, b) => this.node(operation === 'sum' ? 'Add' : 'Mul', [a, b]), first!)
      }
      const place = this.places.get(dim) ?? internal(`no graph input carries the dimension '${dim}'`)
      return this.node('Shape', [place.input], { start: { int: place.axis }, end: { int: place.axis + 1 } })
    })
  }

  /** An int64 tensor with a whole shape. */
  shape(shape: Shape): string {
    if (shape.every((dim) => typeof dim === 'number')) return this.int64s(shape)
    return this.once(`shape ${shape}`, () =>
      this.node(
        'Concat',
        shape.map((dim) => this.dim(dim)),
        { axis: { int: 0 } },
      ),
    )
  }

  /** An int64 tensor [1] that is 0, but not before a value of at least one axis is there: what depends on it is no constant. */
  nothingOf(name: string): string {
    return this.once(`nothing of ${name}`, () => {
      const rows = this.node('Shape', [name], { start: { int: 0 }, end: { int: 1 } })
      return this.node('Mul', [rows, this.int64s([0])])
    })
  }

  /** Gives a value a second name: a graph's outputs are called by the caller's names. */
  rename(from: string, to: string): void {
    this.nodes.push({ operation: 'Identity', inputs: [from], outputs: [to] })
  }

  finish(name: string, inputs: OnnxPort[], outputs: OnnxPort[], known: OnnxPort[] = []): OnnxGraph {
    return { name, nodes: this.nodes, initialisers: this.initialisers, inputs, outputs, known }
  }
}

export function bytesOf(array: Float32Array | Int32Array | BigInt64Array | Uint8Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
}

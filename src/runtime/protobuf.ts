// ONNX models as protobuf bytes: the few messages of onnx.proto3 that our graphs use (field numbers as published by ONNX).
import { BinaryWriter } from '@bufbuild/protobuf/wire'

export const elementType = { float32: 1, uint8: 2, int8: 3, int32: 6, int64: 7 } as const
export type ElementType = keyof typeof elementType

export interface OnnxNode {
  operation: string
  inputs: string[]
  outputs: string[]
  attributes?: Record<string, OnnxAttribute>
  /** '' for ONNX's own operators, 'com.microsoft' for ONNX Runtime's. */
  domain?: string
}

export type OnnxAttribute =
  | { float: number }
  | { int: number }
  | { string: string }
  | { ints: readonly number[] }
  | { graph: OnnxGraph }

/** A constant tensor: its bytes here, or their place in a file. */
export interface OnnxTensor {
  name: string
  type: ElementType
  shape: readonly number[]
  data: Uint8Array | { file: string; offset: number; bytes: number }
}

export interface OnnxPort {
  name: string
  type: ElementType
  /** A string is a symbolic dimension. */
  shape: readonly (number | string)[]
}

export interface OnnxGraph {
  name: string
  nodes: OnnxNode[]
  initialisers: OnnxTensor[]
  inputs: OnnxPort[]
  outputs: OnnxPort[]
  /** Values in between whose shape is known. */
  known: OnnxPort[]
}

const lengthDelimited = 2
const varint = 0
const fixed32 = 5

/** A ModelProto: IR version 10, opset 21, and ONNX Runtime's own operators. */
export function encodeModel(graph: OnnxGraph): Uint8Array<ArrayBuffer> {
  const writer = new BinaryWriter()
  writer.tag(1, varint).int64(10)
  writer.tag(2, lengthDelimited).string('meikai')
  writer.tag(7, lengthDelimited).fork()
  writeGraph(writer, graph)
  writer.join()
  for (const [domain, version] of [
    ['', 21],
    ['com.microsoft', 1],
  ] as const) {
    writer.tag(8, lengthDelimited).fork()
    writer.tag(1, lengthDelimited).string(domain)
    writer.tag(2, varint).int64(version)
    writer.join()
  }
  return writer.finish()
}

function writeGraph(writer: BinaryWriter, graph: OnnxGraph): void {
  for (const node of graph.nodes) {
    writer.tag(1, lengthDelimited).fork()
    for (const name of node.inputs) writer.tag(1, lengthDelimited).string(name)
    for (const name of node.outputs) writer.tag(2, lengthDelimited).string(name)
    writer.tag(3, lengthDelimited).string(node.outputs[0] ?? '')
    writer.tag(4, lengthDelimited).string(node.operation)
    for (const [name, attribute] of Object.entries(node.attributes ?? {})) writeAttribute(writer, name, attribute)
    if (node.domain) writer.tag(7, lengthDelimited).string(node.domain)
    writer.join()
  }
  writer.tag(2, lengthDelimited).string(graph.name)
  for (const tensor of graph.initialisers) writeTensor(writer, tensor)
  for (const port of graph.inputs) writePort(writer, 11, port)
  for (const port of graph.outputs) writePort(writer, 12, port)
  for (const port of graph.known) writePort(writer, 13, port)
}

function writeAttribute(writer: BinaryWriter, name: string, attribute: OnnxAttribute): void {
  writer.tag(5, lengthDelimited).fork()
  writer.tag(1, lengthDelimited).string(name)
  if ('float' in attribute) writer.tag(2, fixed32).float(attribute.float).tag(20, varint).int32(1)
  else if ('int' in attribute) writer.tag(3, varint).int64(attribute.int).tag(20, varint).int32(2)
  else if ('string' in attribute) {
    writer.tag(4, lengthDelimited).string(attribute.string).tag(20, varint).int32(3)
  } else if ('ints' in attribute) {
    for (const value of attribute.ints) writer.tag(8, varint).int64(value)
    writer.tag(20, varint).int32(7)
  } else {
    writer.tag(6, lengthDelimited).fork()
    writeGraph(writer, attribute.graph)
    writer.join().tag(20, varint).int32(5)
  }
  writer.join()
}

function writeTensor(writer: BinaryWriter, { name, type, shape, data }: OnnxTensor): void {
  writer.tag(5, lengthDelimited).fork()
  for (const size of shape) writer.tag(1, varint).int64(size)
  writer.tag(2, varint).int32(elementType[type])
  writer.tag(8, lengthDelimited).string(name)
  if (data instanceof Uint8Array) writer.tag(9, lengthDelimited).bytes(data)
  else {
    const entries = { location: data.file, offset: String(data.offset), length: String(data.bytes) }
    for (const [key, value] of Object.entries(entries)) {
      writer.tag(13, lengthDelimited).fork()
      writer.tag(1, lengthDelimited).string(key).tag(2, lengthDelimited).string(value)
      writer.join()
    }
    writer.tag(14, varint).int32(1)
  }
  writer.join()
}

function writePort(writer: BinaryWriter, field: number, { name, type, shape }: OnnxPort): void {
  writer.tag(field, lengthDelimited).fork()
  writer.tag(1, lengthDelimited).string(name)
  writer.tag(2, lengthDelimited).fork()
  writer.tag(1, lengthDelimited).fork()
  writer.tag(1, varint).int32(elementType[type])
  writer.tag(2, lengthDelimited).fork()
  for (const dim of shape) {
    writer.tag(1, lengthDelimited).fork()
    if (typeof dim === 'number') writer.tag(1, varint).int64(dim)
    else writer.tag(2, lengthDelimited).string(dim)
    writer.join()
  }
  writer.join().join().join().join()
}

// AdamW's inner loop in WebAssembly, four floats at a time: three to five times as quick as the same loop in JavaScript.
// The module is written out here, instruction by instruction; numbers of instructions are those of the WebAssembly 2.0 specification.

/** A step's constants, the same for all weights of a kind. */
export interface AdamConstants {
  /** mean = meanDecay x mean + meanShare x gradient */
  meanDecay: number
  meanShare: number
  /** square = squareDecay x square + squareShare x gradient² */
  squareDecay: number
  squareShare: number
  /** weight -= weightDecay x weight + rate x mean / (sqrt(square) + floor) */
  weightDecay: number
  rate: number
  floor: number
}

/** Floats of a block: four of them fit the second-level cache, so copying in and out costs little. */
const blockFloats = 8192
const blockBytes = 4 * blockFloats

const getLocal = (index: number) => [0x20, index]
const setLocal = (index: number) => [0x21, index]
const teeLocal = (index: number) => [0x22, index]
/** Vector instructions have a prefix, then their number in LEB128. */
const vector = (number: number) => (number < 0x80 ? [0xfd, number] : [0xfd, number, 0x01])
const splat = vector(0x13)
const squareRoot = vector(0xe3)
const add = vector(0xe4)
const subtract = vector(0xe5)
const multiply = vector(0xe6)
const divide = vector(0xe7)
const addInteger = [0x6a]
const isLess = [0x49]

/** Locals: the parameters (bytes to go through, the constants), the loop's place, the constants four times each, what the loop keeps. */
const bytesToDo = 0
const constants = ['meanDecay', 'meanShare', 'squareDecay', 'squareShare', 'weightDecay', 'rate', 'floor'] as const
const offset = 1 + constants.length
const vectorOf = (name: (typeof constants)[number]) => getLocal(offset + 1 + constants.indexOf(name))
const gradient = offset + 1 + constants.length
const mean = gradient + 1
const square = gradient + 2
const weight = gradient + 3

/** The loop's place in a block; blocks of weights, gradient, mean and square lie behind one another. */
const place = getLocal(offset)
const loadBlock = (block: number) => [...place, ...vector(0x00), 4, ...leb128(block * blockBytes)]
const storeAt = (block: number) => [...vector(0x0b), 4, ...leb128(block * blockBytes)]

const loop = [
  ...[...loadBlock(1), ...setLocal(gradient)],
  // mean
  ...place,
  ...[...vectorOf('meanDecay'), ...loadBlock(2), ...multiply],
  ...[...vectorOf('meanShare'), ...getLocal(gradient), ...multiply],
  ...[...add, ...teeLocal(mean), ...storeAt(2)],
  // square
  ...place,
  ...[...vectorOf('squareDecay'), ...loadBlock(3), ...multiply],
  ...[...vectorOf('squareShare'), ...getLocal(gradient), ...multiply, ...getLocal(gradient), ...multiply],
  ...[...add, ...teeLocal(square), ...storeAt(3)],
  // weight
  ...place,
  ...[...loadBlock(0), ...teeLocal(weight)],
  ...[...vectorOf('weightDecay'), ...getLocal(weight), ...multiply],
  ...[...vectorOf('rate'), ...getLocal(mean), ...multiply],
  ...[...getLocal(square), ...squareRoot, ...vectorOf('floor'), ...add, ...divide],
  ...[...add, ...subtract, ...storeAt(0)],
  // next four, while there are some: branch to the loop's start
  ...[...place, 0x41, 16, ...addInteger, ...teeLocal(offset), ...getLocal(bytesToDo), ...isLess, 0x0d, 0],
]

const i32 = 0x7f
const f32 = 0x7d
const v128 = 0x7b
const body = [
  ...[2, 1, i32, constants.length + 4, v128],
  ...constants.flatMap((_, i) => [...getLocal(1 + i), ...splat, ...setLocal(offset + 1 + i)]),
  ...[0x03, 0x40, ...loop, 0x0b, 0x0b],
]

function leb128(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...leb128(value >>> 7)]
}
const section = (id: number, content: number[]) => [id, ...leb128(content.length), ...content]
const text = (value: string) => [value.length, ...new TextEncoder().encode(value)]

const moduleBytes = Uint8Array.from([
  ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
  ...section(1, [1, 0x60, 1 + constants.length, i32, ...constants.map(() => f32), 0]),
  ...section(2, [1, ...text('host'), ...text('memory'), 2, 0, 1]),
  ...section(3, [1, 0]),
  ...section(7, [1, ...text('update'), 0, 0]),
  ...section(10, [1, ...leb128(body.length), ...body]),
])

/** The part of WebAssembly's interface that is used here; TypeScript knows it only together with a browser's. */
interface WebAssemblyInterface {
  Memory: new (pages: { initial: number }) => { buffer: ArrayBuffer }
  Module: new (bytes: Uint8Array) => object
  Instance: new (
    module: object,
    imports: object,
  ) => { exports: { update: (bytes: number, ...constants: number[]) => void } }
}
const { Memory, Module, Instance } = (globalThis as unknown as { WebAssembly: WebAssemblyInterface }).WebAssembly

const pageBytes = 65536
const memory = new Memory({ initial: (4 * blockBytes) / pageBytes })
const { update } = new Instance(new Module(moduleBytes), { host: { memory } }).exports
const blocks = [0, 1, 2, 3].map((block) => new Float32Array(memory.buffer, block * blockBytes, blockFloats))

/**
 * Updates [from, to) of the flat arrays in place, in float32. Arrays must go on to the next multiple of four floats,
 * and what lies there must be zeros.
 */
export function updateRange(
  weights: Float32Array,
  gradients: Float32Array,
  means: Float32Array,
  squares: Float32Array,
  from: number,
  to: number,
  step: AdamConstants,
): void {
  const arrays = [weights, gradients, means, squares]
  const values = constants.map((name) => step[name])
  const end = Math.ceil(to / 4) * 4
  for (let start = from; start < end; start += blockFloats) {
    const size = Math.min(blockFloats, end - start)
    for (const [i, array] of arrays.entries()) blocks[i]!.set(array.subarray(start, start + size))
    update(4 * size, ...values)
    for (const [i, array] of arrays.entries()) if (i !== 1) array.set(blocks[i]!.subarray(0, size), start)
  }
}

// Trainable weights in one array, each tensor a view of it: fed to the graph in place, updated in one pass.

export interface Segment {
  name: string
  shape: number[]
  offset: number
  size: number
  /** Whether weight decay applies: to matrices, not to norms and biases. */
  decays: boolean
}
export type Segments = readonly Segment[]

/** Tensors begin at multiples of this many floats: 64 bytes, a cache line. */
const alignment = 16

/** Places tensors one after another. */
export function placeWeights(shapes: ReadonlyMap<string, number[]>): { segments: Segments; length: number } {
  const segments: Segment[] = []
  let offset = 0
  for (const [name, shape] of shapes) {
    const size = shape.reduce((product, dim) => product * dim, 1)
    segments.push({ name, shape, offset, size, decays: shape.length > 1 })
    offset += Math.ceil(size / alignment) * alignment
  }
  return { segments, length: offset }
}

/** The part of a flat array that belongs to a tensor, not copied. */
export function viewSegment(flat: Float32Array, { offset, size }: Segment): Float32Array {
  return flat.subarray(offset, offset + size)
}

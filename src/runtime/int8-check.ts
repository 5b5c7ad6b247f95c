// Whether this machine adds up products of 8-bit integers without loss: processors without instructions for it (VNNI, dot product) do not.
import { UserError } from '../base/errors.ts'
import { input, matmulInt8, parameter } from '../graph/build.ts'
import { compile } from './session.ts'

/** Several times what one instruction takes in. */
const size = 256
const largestCode = 127

/** Multiplies the largest codes, whose sums in pairs are above what 16 bits hold. A loss is a UserError; takes some milliseconds. */
export async function checkInt8Products(threads: number): Promise<void> {
  const ones = new Float32Array(size * size).fill(1)
  const largest = { shape: [size, size], data: new Uint8Array(size * size).fill(largestCode) }
  const scales = { shape: [size], data: new Float32Array(size).fill(1 / largestCode) }
  const weights = { codes: largest, transposed: largest, scales }
  const weight = {
    codes: parameter('codes', [size, size], 'int8'),
    transposed: parameter('transposed', [size, size], 'int8'),
    scales: parameter('scales', [size]),
  }
  const x = input('x', [size, size])
  const graph = {
    forward: matmulInt8(x, weight),
    backward: matmulInt8(x, weight, { backward: true }),
  }
  const executable = await compile(graph, { weights: (name) => weights[name as keyof typeof weights], threads })
  try {
    const results = await executable.run({ x: { shape: [size, size], data: ones } })
    const isExact = Object.values(results).every(({ data }) => data.every((sum) => Math.abs(sum / size - 1) < 1e-5))
    if (isExact) return
  } finally {
    await executable.release()
  }
  throw new UserError(
    'base: int8: this processor loses sums of 8-bit products (it has no VNNI or dot-product instructions). Set base: float32.',
  )
}

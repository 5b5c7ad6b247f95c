// How fast this machine multiplies float32 matrices: what times are measured against and estimated from.
import { input, matmul, parameter } from '../graph/build.ts'
import { compile } from './session.ts'

const size = 1024
const repetitions = 10

/** Floating-point operations a second of a product with a built-in weight, the best of a few; takes about 0.1 s. */
export async function measureMatrixRate(threads: number): Promise<number> {
  const shape = [size, size]
  // Values do not matter to the time, as long as none is denormal.
  const matrix = { shape, data: new Float32Array(size * size).fill(0.5) }
  const graph = { y: matmul(input('x', shape), parameter('w', shape)) }
  const executable = await compile(graph, { weights: () => matrix, threads })
  try {
    let shortest = Number.POSITIVE_INFINITY
    for (let i = 0; i < repetitions; i++) {
      const start = performance.now()
      await executable.run({ x: matrix })
      shortest = Math.min(shortest, performance.now() - start)
    }
    return (2 * size ** 3 * 1000) / shortest
  } finally {
    await executable.release()
  }
}

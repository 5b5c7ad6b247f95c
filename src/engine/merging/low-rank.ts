// What an adapter adds to a weight, scale x B·A, multiplied by ONNX Runtime.
import type { AdapterFactors } from '../../formats/adapter.ts'
import { input, matmul } from '../../graph/build.ts'
import { compile, type Executable } from '../../runtime/session.ts'

/** Products of factors of any shape; opening takes some milliseconds. */
export class LowRankProduct {
  private readonly graph: Executable

  private constructor(graph: Executable) {
    this.graph = graph
  }

  static async open(threads: number): Promise<LowRankProduct> {
    const graph = { product: matmul(input('b', ['outputs', 'rank']), input('a', ['rank', 'inputs'])) }
    return new LowRankProduct(await compile(graph, { threads }))
  }

  /**
   * scale x B·A [outputs, inputs] of a [rank, inputs] and b [outputs, rank], which may be some rows of it; in float32 like its sums.
   * @param into where it is written, of its size.
   */
  async multiply(
    { a, b }: AdapterFactors<Float32Array>,
    rank: number,
    scale: number,
    into: Float32Array,
  ): Promise<void> {
    const [outputs, inputs] = [b.length / rank, a.length / rank]
    const feeds = {
      b: { shape: [outputs, rank], data: b.map((value) => scale * value) },
      a: { shape: [rank, inputs], data: a },
    }
    await this.graph.run(feeds, { product: { shape: [outputs, inputs], data: into } })
  }

  release(): Promise<void> {
    return this.graph.release()
  }
}

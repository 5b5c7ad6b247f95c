// The float32 products of a training step by themselves: how fast this machine can multiply at a model's shapes.
// The job: {model, tokens}; the reply: each shape's operations a second, forward and backward, the best of a few.
import { readJson, writeJson } from '../../src/base/files.ts'
import { input, matmul, parameter } from '../../src/graph/build.ts'
import { headChunk } from '../../src/model/checkpoint.ts'
import { loadModelConfig } from '../../src/model/config.ts'
import { compile, type FrozenWeight } from '../../src/runtime/session.ts'
import { multipliedShapes, type ProductRates } from './operations.ts'
import { threads } from './programs.ts'

const repetitions = 5
/** Values do not matter to the time, as long as none is denormal. */
const filling = 0.5

const [jobFile, replyFile] = process.argv.slice(2) as [string, string]
const { model, tokens } = (await readJson(jobFile)) as { model: string; tokens: number }
const config = await loadModelConfig(model)
const shapes = new Map<string, [rows: number, outputs: number, inputs: number]>()
for (const { outputs, inputs, isHead } of multipliedShapes(config)) {
  shapes.set(`${outputs} x ${inputs}`, [isHead ? headChunk(config) || tokens : tokens, outputs, inputs])
}
const rates: ProductRates = {}
for (const [shape, [rows, outputs, inputs]] of shapes) {
  // The weight as it is held; to the activations' gradient it is multiplied untransposed.
  const weight = { shape: [outputs, inputs], data: new Float32Array(outputs * inputs).fill(filling) }
  const measure = (from: number, to: number, transposeB: boolean) => measureProduct(weight, rows, from, to, transposeB)
  rates[shape] = { forward: await measure(inputs, outputs, true), backward: await measure(outputs, inputs, false) }
}
await writeJson(replyFile, { rates })

async function measureProduct(weight: FrozenWeight, rows: number, from: number, to: number, transposeB: boolean) {
  const x = { shape: [rows, from], data: new Float32Array(rows * from).fill(filling) }
  const y = { shape: [rows, to], data: new Float32Array(rows * to) }
  const graph = { y: matmul(input('x', x.shape), parameter('w', weight.shape), { transposeB }) }
  const executable = await compile(graph, { weights: () => weight, threads })
  let shortest = Number.POSITIVE_INFINITY
  for (let i = 0; i < repetitions; i++) {
    const start = performance.now()
    await executable.run({ x }, { y })
    shortest = Math.min(shortest, performance.now() - start)
  }
  await executable.release()
  return (2000 * rows * from * to) / shortest
}

// The training step's gradients for tiny models of each family and every objective, against central differences in float64.
import { expect, it } from 'vitest'
import { Random } from '../src/base/random.ts'
import { input } from '../src/graph/build.ts'
import type { ModelConfig } from '../src/model/config.ts'
import { adapterShapes, embeddingName, rotaryNames, rotaryTables, weightShapes } from '../src/model/weights.ts'
import { compile, type Tensor } from '../src/runtime/session.ts'
import { makeBatch } from '../src/training/batch.ts'
import {
  buildLoss,
  measureLoss,
  nextTokenWeights,
  type ObjectiveWeights,
  preferenceWeights,
} from '../src/training/objective.ts'
import { growTrees } from '../src/training/preference-groups.ts'
import { buildForward, buildStep, gradientOutput, type Learning, trainableShapes } from '../src/training/step-graph.ts'
import { packRows } from './document-rows.ts'
import { type Array64, array64, interpret } from './graph-interpreter.ts'

const qwen2: ModelConfig = {
  family: 'qwen2',
  vocabularySize: 11,
  width: 8,
  layers: 2,
  heads: 4,
  keyValueHeads: 2,
  headWidth: 4,
  feedForwardWidth: 6,
  rotaryBase: 10_000,
  rotaryScaling: undefined,
  normEpsilon: 1e-6,
  tiedEmbeddings: true,
  headNorms: false,
  attentionBias: true,
  outputBias: false,
  feedForwardBias: false,
  contextTokens: 32,
  endOfSequence: [1],
}
const llama: ModelConfig = { ...qwen2, family: 'llama', keyValueHeads: 4, tiedEmbeddings: false, attentionBias: false }

const qwen3: ModelConfig = { ...llama, family: 'qwen3', keyValueHeads: 2, headNorms: true }
const biasedLlama: ModelConfig = {
  ...llama,
  attentionBias: true,
  outputBias: true,
  feedForwardBias: true,
  rotaryScaling: { factor: 4, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalContextTokens: 16 },
}

const documents = [5, 3, 7].map((length, d) => ({
  id: `${d}`,
  tokens: Array.from({ length }, (_, t) => (3 * d + 5 * t + t * t) % 11),
  lossFrom: d === 1 ? 2 : 1,
}))
const pairs = [
  { id: 'a', question: 'q', promptTokens: [2, 3], chosenTokens: [4, 5, 1], rejectedTokens: [6, 1] },
  { id: 'b', question: 'q', promptTokens: [2, 3], chosenTokens: [4, 5, 1], rejectedTokens: [7] },
]

const beta = 0.5
type Loss = 'next-token' | 'rpo' | 'dpo' | 'winners'

function makeExample(loss: Loss) {
  if (loss === 'next-token') {
    const batch = makeBatch(packRows(documents, 9, 1, 0).map(({ row }) => row))
    return { batch, weights: nextTokenWeights(batch.predictions, batch.targets.length, batch.predictions) }
  }
  const trees = growTrees(pairs, 32)
  const batch = makeBatch(trees.map(({ row }) => row))
  return {
    batch,
    weights: preferenceWeights(trees, batch.targets.length, 2, { loss, alpha: 0.7 }, () => 0.4) as ObjectiveWeights,
  }
}

it.each<[string, 'full' | 'lora', Loss, ModelConfig]>([
  ['Qwen2', 'full', 'next-token', qwen2],
  ['Qwen2', 'lora', 'next-token', qwen2],
  ['Qwen2', 'full', 'rpo', qwen2],
  ['Qwen2', 'lora', 'dpo', qwen2],
  ['Qwen2', 'full', 'winners', qwen2],
  ['Llama', 'full', 'next-token', llama],
  ['Llama', 'lora', 'rpo', llama],
  ['Llama', 'full', 'dpo', llama],
  ['Llama', 'lora', 'winners', llama],
  ['Qwen3', 'full', 'next-token', qwen3],
  ['Qwen3', 'lora', 'rpo', qwen3],
  ['Llama with biases and scaled positions', 'full', 'rpo', biasedLlama],
])('%s, %s, %s', async (_name, kind, loss, config) => {
  const lora = {
    rank: 2,
    alpha: 3,
    targetModules: ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'],
  }
  const learning: Learning = kind === 'full' ? { kind } : { kind, lora }
  const options = { learning, positions: 32, chunk: 0, ...(loss === 'next-token' ? {} : { beta }) }
  const { batch, weights } = makeExample(loss)
  const { rows, tokens } = batch
  const size = batch.targets.length

  const random = new Random(7, 'gradients')
  const values = new Map<string, Array64>()
  for (const [name, shape] of new Map([...weightShapes(config), ...adapterShapes(config, lora)])) {
    values.set(
      name,
      array64(shape, () => (name.includes('norm') ? 1 : 0) + 0.4 * random.normal()),
    )
  }
  const tables = rotaryTables(config, 32)
  const table = values.get(embeddingName)!
  const lookUp = (): Array64 =>
    array64(
      [rows * tokens, config.width],
      (i) => table.data[batch.tokenIds[Math.floor(i / config.width)]! * config.width + (i % config.width)]!,
    )

  const feeds = (): Record<string, Array64> => ({
    ...Object.fromEntries(values),
    embedded: lookUp(),
    tokenIds: array64([rows * tokens], batch.tokenIds),
    positions: array64([rows, tokens], batch.positions),
    attentionBias: array64([rows, 1, tokens, tokens], batch.attentionBias),
    lossPositions: array64([size], batch.lossPositions),
    targets: array64([size], batch.targets),
    predictionOf: array64([rows * tokens], batch.predictionOf),
    tokenWeights: array64([size], weights.tokenWeights),
    ...(weights.pairs && {
      pairMatrix: array64([weights.pairs.count, size], weights.pairs.matrix),
      pairWeights: array64([weights.pairs.count], weights.pairs.weights),
      referenceMargins: array64([weights.pairs.count], weights.pairs.referenceMargins),
    }),
    [rotaryNames.cos]: array64([32, config.headWidth / 2], tables.cos),
    [rotaryNames.sin]: array64([32, config.headWidth / 2], tables.sin),
  })

  const { outputs } = buildForward(config, options)
  const objective = buildLoss(outputs.logProbabilities, {
    tokenWeights: input('tokenWeights', ['predictions']),
    ...(weights.pairs && {
      pairs: {
        beta,
        matrix: input('pairMatrix', ['pairs', 'predictions']),
        weights: input('pairWeights', ['pairs']),
        referenceMargins: input('referenceMargins', ['pairs']),
      },
    }),
  })
  const lossNow = () => interpret({ objective }, feeds()).objective!.data[0]!

  const step = buildStep(config, options).outputs
  const found = interpret(step, feeds())
  const logProbabilities = Float32Array.from(found.logProbabilities!.data)
  expect(measureLoss(logProbabilities, weights, beta)).toBeCloseTo(lossNow(), 6)

  // What the host adds for the looked-up rows of the table.
  const gradientOf = (name: string, of: Record<string, { data: ArrayLike<number> } | undefined>): number[] => {
    const direct = of[gradientOutput(name)]?.data
    const total = Array.from({ length: values.get(name)!.data.length }, (_, i) => direct?.[i] ?? 0)
    if (name !== embeddingName) return total
    const rowsGradient = of[gradientOutput('embedded')]!.data
    for (let i = 0; i < rowsGradient.length; i++) {
      total[batch.tokenIds[Math.floor(i / config.width)]! * config.width + (i % config.width)]! += rowsGradient[i]!
    }
    return total
  }

  // ONNX Runtime on the same graph, in float32.
  const toTensor = ({ shape, data }: Array64, whole: boolean): Tensor => ({
    shape,
    data: whole ? Int32Array.from(data) : Float32Array.from(data),
  })
  const whole = ['tokenIds', 'positions', 'lossPositions', 'targets', 'predictionOf']
  const tensors = Object.fromEntries(
    Object.entries(feeds()).map(([name, value]) => [name, toTensor(value, whole.includes(name))]),
  )
  const executable = await compile(step, {
    weights: (name) => ({ shape: tensors[name]!.shape, data: tensors[name]!.data as Float32Array }),
    threads: 1,
  })
  const run = await executable.run(tensors)
  await executable.release()

  for (const [name] of trainableShapes(config, learning)) {
    const gradient = gradientOf(name, found)
    const value = values.get(name)!
    const direction = Float64Array.from(value.data, () => random.normal())
    const shift = (by: number) => {
      for (let i = 0; i < direction.length; i++) value.data[i]! += by * direction[i]!
    }
    const epsilon = 1e-5
    shift(epsilon)
    const above = lossNow()
    shift(-2 * epsilon)
    const below = lossNow()
    shift(epsilon)
    const slope = gradient.reduce((sum, g, i) => sum + g * direction[i]!, 0)
    const size = Math.hypot(...gradient)
    expect(Math.abs((above - below) / (2 * epsilon) - slope), name).toBeLessThan(1e-6 * Math.max(1, size))

    const inFloat32 = gradientOf(name, run)
    const error = Math.hypot(...gradient.map((g, i) => g - inFloat32[i]!))
    expect(error, name).toBeLessThan(1e-4 * size + 1e-7)
  }
})

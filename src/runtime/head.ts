// The head over the vocabulary in ONNX: log-probabilities of targets and their gradients, whole or in chunks of rows.
import type { Value } from '../graph/value.ts'
import { Emitter } from './emitter.ts'
import type { OnnxGraph, OnnxPort } from './protobuf.ts'

type HeadOperation = 'tokenLogProbability' | 'tokenLogProbabilityDirection' | 'tokenLogProbabilityHeadGradient'

const microsoft = 'com.microsoft'

/** log-probability of each target [N] */
export function emitLogProbability(value: Value<HeadOperation>, emitter: Emitter, inputs: readonly string[]): string {
  return emitForward(value, emitter, inputs).logProbability
}

/** d log-probability / d hidden [N, D]; the same nodes as the log-probabilities, so the logits are computed once. */
export function emitDirection(value: Value<HeadOperation>, emitter: Emitter, inputs: readonly string[]): string {
  return emitForward(value, emitter, inputs).direction
}

/** Sum over n of weight_n d log-probability_n / d head [V, D]. */
export function emitHeadGradient(value: Value<HeadOperation>, emitter: Emitter, inputs: readonly string[]): string {
  const [hidden, head, targets, weights] = inputs as [string, string, string, string]
  const { chunk } = value.attributes
  const column = emitter.int64s([-1, 1])
  const scaled = emitter.node('Mul', [hidden, emitter.node('Reshape', [weights, column])])
  if (chunk === 0) return outerProduct(emitter, emitSurplus(emitter, hidden, head, targets).surplus, scaled)

  // A scan over chunks that adds up [V, D].
  const [vocabulary, width] = value.inputs[1]!.shape as [number, number]
  const body = new Emitter(emitter.operations, 'body')
  const ports = chunkPorts(width)
  const sum: OnnxPort = { name: 'sum', type: 'float32', shape: [vocabulary, width] }
  const scaledPort: OnnxPort = { name: 'scaled', type: 'float32', shape: [chunkRows, width] }
  const product = outerProduct(body, emitSurplus(body, 'hidden', head, 'targets').surplus, 'scaled')
  const total = body.node('Add', ['sum', product])
  const graph = body.finish('headGradient', [sum, ...ports, scaledPort], [{ ...sum, name: total }])
  const zeros = emitter.node('Expand', [emitter.floats([0]), emitter.int64s([vocabulary, width])])
  const chunks = splitRows(emitter, [hidden, targets, scaled], chunk, width)
  return scan(emitter, graph, [zeros, ...chunks], 3, 1)[0]!
}

function emitForward(
  value: Value<HeadOperation>,
  emitter: Emitter,
  inputs: readonly string[],
): { logProbability: string; direction: string } {
  const [hidden, head, targets] = inputs as [string, string, string]
  const { chunk } = value.attributes
  return emitter.once(`head ${hidden} ${head} ${targets} ${chunk}`, () => {
    if (chunk === 0) return emitRows(emitter, hidden, head, targets)
    const width = value.inputs[0]!.shape[1] as number
    const body = new Emitter(emitter.operations, 'body')
    const { logProbability, makeDirection } = emitChunk(body, 'hidden', head, 'targets')
    // ONNX Runtime leaves out what nobody reads, but not in the body of a scan.
    const isDirected = emitter.operations.has('tokenLogProbabilityDirection')
    const graph = body.finish('head', chunkPorts(width), [
      { name: logProbability, type: 'float32', shape: [chunkRows] },
      ...(isDirected ? [{ name: makeDirection(), type: 'float32' as const, shape: [chunkRows, width] }] : []),
    ])
    const chunks = splitRows(emitter, [hidden, targets], chunk, width)
    const [logProbabilities, directions] = scan(emitter, graph, chunks, 2, isDirected ? 2 : 1)
    return {
      logProbability: emitter.node('Reshape', [logProbabilities!, emitter.int64s([-1])]),
      direction: directions === undefined ? '' : emitter.node('Reshape', [directions, emitter.int64s([-1, width])]),
    }
  })
}

/** Both results for some rows; ONNX Runtime leaves out the one that nobody reads. */
function emitRows(emitter: Emitter, hidden: string, head: string, targets: string) {
  const { logits, probabilities, surplus } = emitSurplus(emitter, hidden, head, targets)
  return {
    logProbability: pickLogProbability(emitter, logits, probabilities, targets),
    direction: emitter.node('FusedMatMul', [surplus, head], { alpha: { float: -1 } }, microsoft),
  }
}

/**
 * The same for a chunk of a large vocabulary: the direction is the target's row of the head less what the head's rows weigh
 * by their probability, so that no second copy of the probabilities, less one at the target, is made.
 */
function emitChunk(emitter: Emitter, hidden: string, head: string, targets: string) {
  const logits = emitter.node('FusedMatMul', [hidden, head], { transB: { int: 1 } }, microsoft)
  const probabilities = emitter.node('Softmax', [logits])
  return {
    logProbability: pickLogProbability(emitter, logits, probabilities, targets),
    makeDirection() {
      const expected = emitter.node('MatMul', [probabilities, head])
      return emitter.node('Sub', [emitter.node('Gather', [head, targets]), expected])
    },
  }
}

/** logits [N, V], their softmax, and the softmax less one at the target: minus d log-probability / d logits. */
function emitSurplus(emitter: Emitter, hidden: string, head: string, targets: string) {
  return emitter.once(`surplus ${hidden} ${head} ${targets}`, () => {
    const logits = emitter.node('FusedMatMul', [hidden, head], { transB: { int: 1 } }, microsoft)
    const probabilities = emitter.node('Softmax', [logits])
    const column = emitter.node('Reshape', [targets, emitter.int64s([-1, 1])])
    const minusOnes = emitter.node('Expand', [emitter.floats([-1]), emitter.node('Shape', [column])])
    const attributes = { axis: { int: 1 }, reduction: { string: 'add' } }
    const surplus = emitter.node('ScatterElements', [probabilities, column, minusOnes], attributes)
    return { logits, probabilities, surplus }
  })
}

/**
 * logit - logsumexp, without a second pass of exponentials: logsumexp = max(logits) - log(max(softmax)),
 * and the largest probability is never smaller than 1/V.
 */
function pickLogProbability(emitter: Emitter, logits: string, probabilities: string, targets: string): string {
  const column = emitter.node('Reshape', [targets, emitter.int64s([-1, 1])])
  const picked = emitter.node('GatherElements', [logits, column], { axis: { int: 1 } })
  const largest = (x: string) => emitter.node('ReduceMax', [x, emitter.int64s([1])], { keepdims: { int: 1 } })
  const aboveLargest = emitter.node('Sub', [picked, largest(logits)])
  const result = emitter.node('Add', [aboveLargest, emitter.node('Log', [largest(probabilities)])])
  return emitter.node('Reshape', [result, emitter.int64s([-1])])
}

function outerProduct(emitter: Emitter, surplusName: string, scaled: string): string {
  return emitter.node('FusedMatMul', [surplusName, scaled], { transA: { int: 1 }, alpha: { float: -1 } }, microsoft)
}

/** Rows of a chunk, known when the graph runs. */
const chunkRows = 'chunkRows'

function chunkPorts(width: number): OnnxPort[] {
  return [
    { name: 'hidden', type: 'float32', shape: [chunkRows, width] },
    { name: 'targets', type: 'int32', shape: [chunkRows] },
  ]
}

/** [N, ...] -> [C, N / C, ...] for a scan over the first axis: the fewest chunks of at most `chunk` rows. */
function splitRows(emitter: Emitter, names: string[], chunk: number, width: number): string[] {
  const count = emitter.once(`chunks ${names[1]} ${chunk}`, () => {
    const filled = emitter.node('Add', [emitter.node('Shape', [names[1]!]), emitter.int64s([chunk - 1])])
    return emitter.node('Div', [filled, emitter.int64s([chunk])])
  })
  return names.map((name, i) => {
    const rest = emitter.int64s(i === 1 ? [-1] : [-1, width])
    return emitter.node('Reshape', [name, emitter.node('Concat', [count, rest], { axis: { int: 0 } })])
  })
}

function scan(emitter: Emitter, body: OnnxGraph, inputs: string[], scanInputs: number, outputs: number): string[] {
  return emitter.nodeWithOutputs('Scan', inputs, outputs, {
    body: { graph: body },
    num_scan_inputs: { int: scanInputs },
  })
}

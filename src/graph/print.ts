// Graphs as text: one line a value, numbered from 0, with its shape; small ones are pinned in tests.
import type { Operation, Operations } from './operations.ts'
import { formatShape } from './shape.ts'
import { sortValues, type Value } from './value.ts'

type PrintRules = { readonly [O in Operation]: (attributes: Operations[O]) => string }

const plain = () => ''
const chunked = ({ chunk }: { chunk: number }) => (chunk > 0 ? `chunk ${chunk}` : '')

const printRules: PrintRules = {
  input: ({ name }) => name,
  parameter: ({ name }) => name,
  constant: ({ value }) => String(value),
  add: plain,
  subtract: plain,
  multiply: plain,
  divide: plain,
  negate: plain,
  exp: plain,
  log: plain,
  sqrt: plain,
  sigmoid: plain,
  silu: plain,
  softplus: plain,
  softmax: plain,
  matmul: ({ transposeA, transposeB, scale }) =>
    [transposeA ? 'transposeA' : '', transposeB ? 'transposeB' : '', scale === 1 ? '' : `scale ${scale}`]
      .filter(Boolean)
      .join(', '),
  matmulNf4: ({ outputs, inputs, backward }) => `${outputs} x ${inputs}${backward ? ', backward' : ''}`,
  matmulBlocks: ({ inputs }) => `8 bits x ${inputs}`,
  matmulInt8: ({ backward }) => (backward ? 'backward' : ''),
  transpose: ({ permutation }) => permutation.join(' '),
  reshape: plain,
  expand: plain,
  slice: ({ axis, start, size }) => `axis ${axis}, ${size} from ${start}`,
  pad: ({ axis, before, after }) => `axis ${axis}, ${before} before, ${after} after`,
  concat: ({ axis }) => `axis ${axis}`,
  after: plain,
  sum: ({ axes }) => `axes ${axes.join(' ')}`,
  gather: plain,
  largest: plain,
  pick: plain,
  draw: plain,
  scatterRows: plain,
  dropout: ({ share, multiplier }) => `share ${share}, multiplier ${multiplier}`,
  rotate: plain,
  rmsNormalize: ({ epsilon }) => `epsilon ${epsilon}`,
  inverseRms: ({ epsilon }) => `epsilon ${epsilon}`,
  tokenLogProbability: chunked,
  tokenLogProbabilityDirection: chunked,
  tokenLogProbabilityHeadGradient: chunked,
}

/** `%4 = matmul(%1, %3; transposeB) [rows, 64]`, a line a value, then `return name: %4`. */
export function printGraph(outputs: Record<string, Value>): string {
  const values = sortValues(Object.values(outputs))
  const numbers = new Map(values.map((value, number) => [value, number]))
  const lines = values.map((value, number) => {
    const attributes = (printRules[value.operation] as (attributes: object) => string)(value.attributes)
    const inputs = value.inputs.map((from) => `%${numbers.get(from)}`).join(', ')
    const body = [inputs, attributes].filter(Boolean).join('; ')
    const dtype = value.dtype === 'float32' ? '' : `${value.dtype} `
    return `%${number} = ${value.operation}(${body}) ${dtype}${formatShape(value.shape)}`
  })
  const results = Object.entries(outputs).map(([name, value]) => `${name}: %${numbers.get(value)}`)
  return [...lines, `return ${results.join(', ')}`].join('\n')
}

// A plain interpreter of graphs in float64: the tests' oracle. Clear rather than quick.
import { internal } from '../src/base/errors.ts'
import { dequantiseBlocks } from '../src/formats/block-integers.ts'
import { dequantiseNf4 } from '../src/formats/nf4.ts'
import { dropoutThreshold } from '../src/graph/dropout.ts'
import { resolveDim } from '../src/graph/shape.ts'
import { type Rules, ruleFor, sortValues, type Value } from '../src/graph/value.ts'

export interface Array64 {
  shape: readonly number[]
  data: Float64Array
}

type InterpreterRules = Rules<[inputs: readonly Array64[], dims: ReadonlyMap<string, number>], Array64>

export function array64(shape: readonly number[], values: ArrayLike<number> | ((index: number) => number)): Array64 {
  const size = shape.reduce((a, b) => a * b, 1)
  const valueAt = typeof values === 'function' ? values : (i: number) => values[i] as number
  return { shape, data: Float64Array.from({ length: size }, (_, i) => valueAt(i)) }
}

/** Evaluates graphs on given inputs and parameters (by name). */
export function interpret(outputs: Record<string, Value>, feeds: Record<string, Array64>): Record<string, Array64> {
  const dims = new Map<string, number>()
  const results = new Map<Value, Array64>()
  const values = sortValues(Object.values(outputs))
  for (const { operation, attributes, shape } of values) {
    if (operation !== 'input' && operation !== 'parameter') continue
    const { name } = attributes as Value<'input'>['attributes']
    const feed = feeds[name] ?? internal(`'${name}' is not fed`)
    shape.forEach((dim, axis) => {
      if (typeof dim === 'string') dims.set(dim, feed.shape[axis]!)
    })
  }
  for (const value of values) {
    if (value.operation === 'input' || value.operation === 'parameter') {
      const { name } = (value as Value<'input'>).attributes
      results.set(value, feeds[name]!)
    } else {
      const inputs = value.inputs.map((from) => results.get(from)!)
      results.set(value, ruleFor(rules, value)(value, inputs, dims))
    }
    const expected = value.shape.map((dim) => resolveDim(dim, dims))
    const { shape } = results.get(value)!
    if (shape.join() !== expected.join()) internal(`${value.operation} gave shape [${shape}], inferred [${expected}]`)
  }
  return Object.fromEntries(Object.entries(outputs).map(([name, value]) => [name, results.get(value)!]))
}

const given = (): Array64 => internal('fed, not computed')

const rules: InterpreterRules = {
  input: given,
  parameter: given,
  constant: ({ attributes: { value } }) => array64([], [value]),
  add: elementwise((a, b) => a + b),
  subtract: elementwise((a, b) => a - b),
  multiply: elementwise((a, b) => a * b),
  divide: elementwise((a, b) => a / b),
  negate: elementwise((x) => -x),
  exp: elementwise(Math.exp),
  log: elementwise(Math.log),
  sqrt: elementwise(Math.sqrt),
  sigmoid: elementwise((x) => 1 / (1 + Math.exp(-x))),
  silu: elementwise((x) => x / (1 + Math.exp(-x))),
  softplus: elementwise((x) => Math.log1p(Math.exp(-Math.abs(x))) + Math.max(x, 0)),
  matmul: ({ attributes: { transposeA, transposeB, scale } }, [a, b]) => {
    const left = transposeA ? swapLast(a!) : a!
    const right = transposeB ? swapLast(b!) : b!
    const [m, k] = left.shape.slice(-2) as [number, number]
    const n = right.shape.at(-1)!
    const batch = broadcast(left.shape.slice(0, -2), right.shape.slice(0, -2))
    return fill([...batch, m, n], (index) => {
      const lead = index.slice(0, -2)
      const [i, j] = index.slice(-2) as [number, number]
      let total = 0
      for (let l = 0; l < k; l++) total += at(left, [...lead, i, l]) * at(right, [...lead, l, j])
      return scale * total
    })
  },
  matmulNf4: ({ attributes: { outputs, inputs, backward } }, [x, codes, scales]) => {
    const weight = dequantiseNf4({ codes: Uint8Array.from(codes!.data), scales: Float32Array.from(scales!.data) })
    return fill([x!.shape[0]!, backward ? inputs : outputs], ([n, i]) => {
      let total = 0
      for (let k = 0; k < (backward ? outputs : inputs); k++) {
        total += at(x!, [n!, k]) * weight[backward ? k * inputs + i! : i! * inputs + k]!
      }
      return total
    })
  },
  // Without the rounding of x to 8 bits.
  matmulBlocks: ({ attributes: { inputs: width } }, [x, codes, scales]) => {
    const [outputs, , block] = codes!.shape as [number, number, number]
    const stored = { codes: Uint8Array.from(codes!.data), scales: Float32Array.from(scales!.data) }
    const weight = dequantiseBlocks(stored, width, block)
    return fill([x!.shape[0]!, outputs], ([n, o]) => {
      let total = 0
      for (let k = 0; k < width; k++) total += at(x!, [n!, k]) * weight[o! * width + k]!
      return total
    })
  },
  // Without the rounding of x to 8 bits.
  matmulInt8: ({ attributes: { backward } }, [x, codes, , scales]) => {
    const [outputs, inputs] = codes!.shape as [number, number]
    const [inner, width] = backward ? [outputs, inputs] : [inputs, outputs]
    const weight = (o: number, i: number) => at(codes!, [o, i]) * scales!.data[o]!
    return fill([x!.shape[0]!, width], ([n, j]) => {
      let total = 0
      for (let k = 0; k < inner; k++) total += at(x!, [n!, k]) * (backward ? weight(k, j!) : weight(j!, k))
      return total
    })
  },
  transpose: ({ attributes: { permutation } }, [x]) =>
    fill(
      permutation.map((axis) => x!.shape[axis]!),
      (index) =>
        at(
          x!,
          permutation.map((_, axis) => index[permutation.indexOf(axis)]!),
        ),
    ),
  reshape: ({ attributes: { shape } }, [x], dims) => ({ shape: resolve(shape, dims), data: x!.data }),
  expand: ({ attributes: { shape } }, [x], dims) => fill(resolve(shape, dims), (index) => at(x!, index)),
  slice: ({ attributes: { axis, start, size } }, [x], dims) =>
    fill(replaced(x!.shape, axis, resolveDim(size, dims)), (index) =>
      at(x!, replaced(index, axis, index[axis]! + resolveDim(start, dims))),
    ),
  pad: ({ attributes: { axis, ...around } }, [x], dims) => {
    const [before, after] = [resolveDim(around.before, dims), resolveDim(around.after, dims)]
    return fill(replaced(x!.shape, axis, before + x!.shape[axis]! + after), (index) => {
      const i = index[axis]! - before
      return i < 0 || i >= x!.shape[axis]! ? 0 : at(x!, replaced(index, axis, i))
    })
  },
  concat: ({ attributes: { axis } }, inputs) => {
    const total = inputs.reduce((sum, { shape }) => sum + shape[axis]!, 0)
    return fill(replaced(inputs[0]!.shape, axis, total), (index) => {
      let position = index[axis]!
      for (const input of inputs) {
        if (position < input.shape[axis]!) return at(input, replaced(index, axis, position))
        position -= input.shape[axis]!
      }
      return internal('concat out of range')
    })
  },
  after: (_, [x]) => x!,
  sum: ({ attributes: { axes, keepDims } }, [x]) => {
    const kept = x!.shape.map((size, axis) => (axes.includes(axis) ? 1 : size))
    const result = array64(kept, () => 0)
    each(x!.shape, (index, flat) => {
      result.data[offset(kept, index)]! += x!.data[flat]!
    })
    return keepDims ? result : { shape: x!.shape.filter((_, axis) => !axes.includes(axis)), data: result.data }
  },
  softmax: (_, [x]) => ({ shape: x!.shape, data: softmaxRows(x!.data, x!.shape.at(-1)!) }),
  gather: (_, [table, indices]) =>
    fill([...indices!.shape, ...table!.shape.slice(1)], ([n, ...rest]) => at(table!, [indices!.data[n!]!, ...rest])),
  largest: (_, [x]) => fill([x!.shape[0]!], ([n]) => rowOf(x!, n!).indexOf(Math.max(...rowOf(x!, n!)))),
  pick: (_, [x, places]) => fill([x!.shape[0]!], ([n]) => at(x!, [n!, places!.data[n!]!])),
  draw: (_, [x, shares]) =>
    fill([x!.shape[0]!], ([n]) => {
      const row = rowOf(x!, n!)
      const target = shares!.data[n!]! * row.reduce((a, b) => a + b)
      let sum = 0
      return row.findIndex((entry) => {
        sum += entry
        return sum > target
      })
    }),
  scatterRows: ({ attributes: { rows } }, [indices, values], dims) => {
    const result = array64([resolveDim(rows, dims), ...values!.shape.slice(1)], () => 0)
    each(values!.shape, ([n, ...rest], flat) => {
      result.data[offset(result.shape, [indices!.data[n!]!, ...rest])]! += values!.data[flat]!
    })
    return result
  },
  dropout: ({ attributes: { share, multiplier } }, [x, noise]) =>
    fill(x!.shape, (index) => (Math.imul(at(noise!, index), multiplier) < dropoutThreshold(share) ? 0 : at(x!, index))),
  rotate: (_, [x, cos, sin, positions]) => {
    const half = x!.shape[3]! / 2
    return fill(x!.shape, ([row, head, token, i]) => {
      const position = at(positions!, [row!, token!])
      const j = i! % half
      const first = at(x!, [row!, head!, token!, j])
      const second = at(x!, [row!, head!, token!, j + half])
      const [c, s] = [at(cos!, [position, j]), at(sin!, [position, j])]
      return i! < half ? first * c - second * s : second * c + first * s
    })
  },
  rmsNormalize: ({ attributes: { epsilon } }, [x, weight]) => {
    const inverse = inverseRms(x!, epsilon)
    return fill(
      x!.shape,
      (index) => at(x!, index) * at(inverse, [...index.slice(0, -1), 0]) * at(weight!, index.slice(-1)),
    )
  },
  inverseRms: ({ attributes: { epsilon } }, [x]) => inverseRms(x!, epsilon),
  tokenLogProbability: (_, [hidden, head, targets]) => {
    const { data, shape } = logits(hidden!, head!)
    const probabilities = softmaxRows(data, shape[1]!)
    return fill(targets!.shape, ([n]) => Math.log(probabilities[n! * shape[1]! + targets!.data[n!]!]!))
  },
  tokenLogProbabilityDirection: (_, [hidden, head, targets]) => {
    const left = surplus(hidden!, head!, targets!)
    return fill(hidden!.shape, ([n, d]) => {
      let total = 0
      for (let v = 0; v < head!.shape[0]!; v++) total -= at(left, [n!, v]) * at(head!, [v, d!])
      return total
    })
  },
  tokenLogProbabilityHeadGradient: (_, [hidden, head, targets, weights]) => {
    const left = surplus(hidden!, head!, targets!)
    return fill(head!.shape, ([v, d]) => {
      let total = 0
      for (let n = 0; n < hidden!.shape[0]!; n++) total -= weights!.data[n]! * at(left, [n, v!]) * at(hidden!, [n, d!])
      return total
    })
  },
}

function elementwise(compute: (...values: number[]) => number) {
  return (_: Value, inputs: readonly Array64[]): Array64 =>
    fill(inputs.map(({ shape }) => shape).reduce(broadcast), (index) =>
      compute(...inputs.map((input) => at(input, index))),
    )
}

function logits(hidden: Array64, head: Array64): Array64 {
  return fill([hidden.shape[0]!, head.shape[0]!], ([n, v]) => {
    let total = 0
    for (let d = 0; d < hidden.shape[1]!; d++) total += at(hidden, [n!, d]) * at(head, [v!, d])
    return total
  })
}

/** The softmax less one at the target. */
function surplus(hidden: Array64, head: Array64, targets: Array64): Array64 {
  const { data, shape } = logits(hidden, head)
  const probabilities = softmaxRows(data, shape[1]!)
  targets.data.forEach((target, n) => {
    probabilities[n * shape[1]! + target]! -= 1
  })
  return { shape, data: probabilities }
}

function rowOf({ shape, data }: Array64, row: number): Float64Array {
  const width = shape[1]!
  return data.subarray(row * width, (row + 1) * width)
}

function inverseRms(x: Array64, epsilon: number): Array64 {
  const width = x.shape.at(-1)!
  return fill([...x.shape.slice(0, -1), 1], (index) => {
    let total = 0
    for (let i = 0; i < width; i++) total += at(x, [...index.slice(0, -1), i]) ** 2
    return 1 / Math.sqrt(total / width + epsilon)
  })
}

function softmaxRows(data: Float64Array, width: number): Float64Array {
  const result = new Float64Array(data.length)
  for (let start = 0; start < data.length; start += width) {
    const row = data.subarray(start, start + width)
    const largest = Math.max(...row)
    const total = row.reduce((sum, x) => sum + Math.exp(x - largest), 0)
    row.forEach((x, i) => {
      result[start + i] = Math.exp(x - largest) / total
    })
  }
  return result
}

function swapLast(x: Array64): Array64 {
  const shape = [...x.shape.slice(0, -2), x.shape.at(-1)!, x.shape.at(-2)!]
  return fill(shape, (index) => at(x, [...index.slice(0, -2), index.at(-1)!, index.at(-2)!]))
}

function resolve(shape: readonly (number | string)[], dims: ReadonlyMap<string, number>): number[] {
  return shape.map((dim) => resolveDim(dim, dims))
}

function replaced(list: readonly number[], position: number, value: number): number[] {
  return list.map((old, i) => (i === position ? value : old))
}

function broadcast(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length)
  return Array.from({ length: rank }, (_, i) => Math.max(a[i - rank + a.length] ?? 1, b[i - rank + b.length] ?? 1))
}

/** The element at an index; leading axes that the array lacks and axes of size 1 are broadcast. */
function at(x: Array64, index: readonly number[]): number {
  return x.data[offset(x.shape, index.slice(index.length - x.shape.length))]!
}

function offset(shape: readonly number[], index: readonly number[]): number {
  return shape.reduce((flat, size, axis) => flat * size + (size === 1 ? 0 : index[axis]!), 0)
}

function fill(shape: readonly number[], compute: (index: number[]) => number): Array64 {
  const result = array64(shape, () => 0)
  each(shape, (index, flat) => {
    result.data[flat] = compute(index)
  })
  return result
}

function each(shape: readonly number[], visit: (index: number[], flat: number) => void): void {
  const size = shape.reduce((a, b) => a * b, 1)
  const index = shape.map(() => 0)
  for (let flat = 0; flat < size; flat++) {
    visit(index, flat)
    for (let axis = shape.length - 1; axis >= 0 && ++index[axis]! === shape[axis]; axis--) index[axis] = 0
  }
}

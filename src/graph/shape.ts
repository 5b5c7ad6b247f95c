// Shapes: numbers and symbolic dimensions, their products, sums and differences, equality and broadcasting.
import { internal } from '../base/errors.ts'

/**
 * One dimension: a number, or a name that gets its number when the graph runs ('rows').
 * Products, sums and differences of names have one canonical form ('2*rows*tokens', '(1+prefix-tail)'), so equality is ===.
 */
export type Dim = number | string
export type Shape = readonly Dim[]

/** The product of dimensions. */
export function multiplyDims(...dims: Dim[]): Dim {
  let factor = 1
  const names: string[] = []
  for (const part of dims.flatMap((dim) => String(dim).split('*'))) {
    if (isNumber(part)) factor *= Number(part)
    else names.push(part)
  }
  if (names.length === 0 || factor === 0) return factor
  names.sort()
  return (factor === 1 ? names : [factor, ...names]).join('*')
}

/** The sum of dimensions; of symbolic ones, plain names and their sums and differences. */
export function addDims(...dims: Dim[]): Dim {
  return formatSum(dims.flatMap(termsOf))
}

/** a - b. */
export function subtractDims(a: Dim, b: Dim): Dim {
  const negated = termsOf(b).map((term) => (typeof term === 'number' ? -term : negateName(term)))
  return formatSum([...termsOf(a), ...negated])
}

const negateName = (name: string): string => (name.startsWith('-') ? name.slice(1) : `-${name}`)

/** The numbers and names whose sum a dimension is, a name that is taken away with a minus. */
function termsOf(dim: Dim): Dim[] {
  if (typeof dim === 'number') return [dim]
  const { operation, parts } = takeApart(dim)
  if (operation === 'product') return internal(`a sum with the product '${dim}'`)
  return operation === 'sum' ? parts : [dim]
}

function formatSum(terms: readonly Dim[]): Dim {
  let total = 0
  const names: string[] = []
  for (const term of terms) {
    if (typeof term === 'number') total += term
    else if (names.includes(negateName(term))) names.splice(names.indexOf(negateName(term)), 1)
    else names.push(term)
  }
  if (names.length === 0) return total < 0 ? internal(`a dimension of ${total}`) : total
  if (total === 0 && names.length === 1 && !names[0]!.startsWith('-')) return names[0]!
  names.sort()
  return `(${(total === 0 ? names : [total, ...names]).join('+').replaceAll('+-', '-')})`
}

/** How a symbolic dimension is made: a plain name, one with a minus (a part of sums only), or a product or sum of parts. */
export function takeApart(dim: string): { operation: 'name' | 'negation' | 'product' | 'sum'; parts: Dim[] } {
  const toDims = (parts: string[]) => parts.map((part) => (isNumber(part) ? Number(part) : part))
  if (dim.includes('*')) return { operation: 'product', parts: toDims(dim.split('*')) }
  if (dim.startsWith('(')) return { operation: 'sum', parts: toDims(dim.slice(1, -1).split(/[+]|(?<=.)(?=-)/)) }
  if (dim.startsWith('-')) return { operation: 'negation', parts: [dim.slice(1)] }
  return { operation: 'name', parts: [dim] }
}

/** The number that a dimension stands for, given what each name stands for. */
export function resolveDim(dim: Dim, names: ReadonlyMap<string, number>): number {
  if (typeof dim === 'number') return dim
  const { operation, parts } = takeApart(dim)
  if (operation === 'name') return names.get(dim) ?? internal(`dimension '${dim}' is not bound`)
  const numbers = parts.map((part) => resolveDim(part, names))
  if (operation === 'negation') return -numbers[0]!
  return operation === 'sum' ? numbers.reduce((a, b) => a + b) : numbers.reduce((a, b) => a * b)
}

function isNumber(part: string): boolean {
  return /^-?\d+$/.test(part)
}

export function equalShapes(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((dim, axis) => dim === b[axis])
}

/** NumPy broadcasting. A symbolic dimension is taken to be no 1. */
export function broadcastShapes(a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length)
  return Array.from({ length: rank }, (_, axis) => {
    const left = a[axis - rank + a.length] ?? 1
    const right = b[axis - rank + b.length] ?? 1
    if (left === right || right === 1) return left
    if (left === 1) return right
    return internal(`shapes ${formatShape(a)} and ${formatShape(b)} do not broadcast`)
  })
}

export function formatShape(shape: Shape): string {
  return `[${shape.join(', ')}]`
}

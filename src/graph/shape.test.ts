// Dimensions: canonical products and sums, broadcasting, and what the builders refuse.
import { describe, expect, it } from 'vitest'
import { concat, gather, input, matmul, reshape, rmsNormalize, slice } from './build.ts'
import { addDims, broadcastShapes, multiplyDims, resolveDim, subtractDims } from './shape.ts'

describe('dimensions', () => {
  it('have one form whatever the order', () => {
    expect(multiplyDims('tokens', 2, 'rows', 3)).toBe('6*rows*tokens')
    expect(multiplyDims(3, multiplyDims('rows', 2), 'tokens')).toBe('6*rows*tokens')
    expect(multiplyDims(2, 3)).toBe(6)
    expect(multiplyDims('rows')).toBe('rows')
    expect(addDims('tail', 1, 'prefix')).toBe('(1+prefix+tail)')
    expect(addDims(addDims('prefix', 'tail'), 1)).toBe('(1+prefix+tail)')
    expect(addDims(2, 3)).toBe(5)
    expect(() => addDims('a', '2*b')).toThrow('internal: a sum with the product')
    expect(subtractDims(512, 'near')).toBe('(512-near)')
    expect(subtractDims(addDims('tail', 512), addDims('near', 256))).toBe('(256-near+tail)')
    expect(addDims(subtractDims(512, 'near'), 'near')).toBe(512)
    expect(subtractDims(addDims(256, 'tail'), 256)).toBe('tail')
    expect(subtractDims('tail', addDims('tail', 'near'))).toBe('(-near)')
    expect(addDims('(-256-near)', 'near', 256)).toBe(0)
    expect(() => subtractDims(2, 3)).toThrow('internal: a dimension of -1')
  })

  it('resolve to numbers', () => {
    const names = new Map([
      ['rows', 4],
      ['tokens', 5],
    ])
    expect(resolveDim('6*rows*tokens', names)).toBe(120)
    expect(resolveDim('(1+rows+tokens)', names)).toBe(10)
    expect(resolveDim('(-1-rows+tokens)', names)).toBe(0)
    expect(() => resolveDim('heads', names)).toThrow("'heads' is not bound")
  })

  it('broadcast as in NumPy', () => {
    expect(broadcastShapes(['rows', 1, 3], [4, 1])).toEqual(['rows', 4, 3])
    expect(() => broadcastShapes([2, 3], [4])).toThrow('do not broadcast')
    expect(() => broadcastShapes(['rows'], ['tokens'])).toThrow('do not broadcast')
  })
})

describe('builders refuse what does not fit', () => {
  const x = input('x', ['rows', 4])
  it.each([
    ['inner sizes', () => matmul(x, input('w', [3, 5])), 'inner sizes 4, 3'],
    ['number of elements', () => reshape(x, ['rows', 5]), 'changes the number of elements'],
    ['a slice past the end', () => slice(x, 1, 2, 3), 'slice of 3 from 2'],
    ['unequal sizes', () => concat([x, input('y', ['rows', 4, 1])], 1), 'concat of'],
    ['float indices', () => gather(x, input('i', ['n'])), 'input 1 of gather is float32, not int32'],
    ['a weight of another width', () => rmsNormalize(x, input('w', [3]), 1e-6), 'with a weight of [3]'],
  ])('%s', (_, build, message) => {
    expect(build).toThrow(message)
  })
})

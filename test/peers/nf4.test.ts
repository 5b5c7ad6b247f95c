// NF4 with double quantisation against bitsandbytes: codes, scales and the weights that they stand for.
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { Random } from '../../src/base/random.ts'
import { dequantiseNf4, nf4Block, quantiseNf4 } from '../../src/formats/nf4.ts'
import { readSafetensorsHeader, readTensor } from '../../src/formats/safetensors.ts'
import { writeSafetensors } from '../../src/formats/safetensors-writer.ts'
import { runPeer } from './peer.ts'

const folder = await mkdtemp(join(tmpdir(), 'meikai-peer-nf4-'))
afterAll(() => rm(folder, { recursive: true }))

const random = new Random(1, 'nf4')
const normal = (size: number, spread: (i: number) => number) =>
  Float32Array.from({ length: size }, (_, i) => spread(i) * random.normal())
const weights: Record<string, Float32Array> = {
  plain: normal(512 * 896, () => 0.02),
  'rows of many sizes': normal(256 * 1024, (i) => 0.001 * 1.02 ** (i >> 10)),
  'outliers and zeros': normal(128 * 512, (i) => (i % 997 === 0 ? 3 : i % 4096 < 128 ? 0 : 0.05)),
}

/** bitsandbytes' CPU build finds the level of a scale in a table of this many steps from -1 to 1, not by the nearest level. */
const tableStep = 2 / 65536

it('codes are equal, scales but for near ties, and so are the weights they stand for', async () => {
  const file = join(folder, 'weights.safetensors')
  const sources = Object.entries(weights).map(([name, values]) => ({
    name,
    shape: [values.length],
    read: () => values,
  }))
  await writeSafetensors(file, sources)
  const output = join(folder, 'bitsandbytes.safetensors')
  await runPeer('nf4.py', { weights: file, output })
  const { tensors } = await readSafetensorsHeader(output)
  const numbers = (name: string) => readTensor(tensors.get(name)!)
  const bytes = async (name: string) => {
    const { offset, bytes } = tensors.get(name)!
    return Uint8Array.from((await readFile(output)).subarray(offset, offset + bytes))
  }
  const levels = await numbers('levels')

  const table: Record<string, object> = {}
  for (const [name, values] of Object.entries(weights)) {
    const ours = quantiseNf4(values)
    const codes = await bytes(`${name}.codes`)
    const differing = ours.codes.reduce((count, byte, i) => count + Number(byte !== codes[i]), 0)

    const [scales, largest, offset] = [
      await numbers(`${name}.scales`),
      await numbers(`${name}.largest`),
      await numbers(`${name}.offset`),
    ]
    let ties = 0
    let largestStep = 0
    const isTie = [...scales].map((scale, b) => Math.abs(scale - ours.scales[b]!) >= 1e-6 * Math.max(1, scale))
    scales.forEach((scale, b) => {
      if (!isTie[b]) return
      ties++
      const start = b - (b % 256)
      const centred = largest.subarray(start, start + 256).map((value) => value - offset[0]!)
      const most = centred.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
      const distances = [...levels].map((level) => Math.abs(level - centred[b - start]! / most)).sort((x, y) => x - y)
      expect(distances[1]! - distances[0]!, `${name}, scale ${b}`).toBeLessThan(2 * tableStep)
      // The two scales are the two nearest levels: as far apart as these, and either is as near to the block's own as the other.
      const step = (distances[0]! + distances[1]!) * most
      expect(Math.abs(scale - ours.scales[b]!), `${name}, scale ${b}`).toBeLessThan(1.001 * step + 1e-7)
      largestStep = Math.max(largestStep, step / largest[b]!)
    })

    const [found, expected] = [dequantiseNf4(ours), await numbers(`${name}.values`)]
    let worst = 0
    let worstOfTies = 0
    found.forEach((value, i) => {
      const b = Math.floor(i / nf4Block)
      const difference = Math.abs(value - expected[i]!)
      // A code's level is at most 1: a weight moves by no more than its scale does.
      if (isTie[b]) worstOfTies = Math.max(worstOfTies, difference / Math.abs(scales[b]! - ours.scales[b]!))
      else worst = Math.max(worst, difference)
    })
    table[name] = {
      weights: values.length,
      'codes that differ': differing,
      scales: scales.length,
      'near ties': ties,
      'largest difference': worst.toExponential(1),
      'in near ties, of the scale': largestStep.toExponential(1),
    }
    expect(worstOfTies).toBeLessThan(1.001)
    expect(differing).toBe(0)
    expect(ties).toBeLessThan(0.03 * scales.length)
    expect(worst).toBeLessThan(1e-6)
  }
  console.table(table)
})

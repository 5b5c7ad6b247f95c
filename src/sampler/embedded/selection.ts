// Drawing a token among the likeliest of a row of probabilities.
import type { SamplingSettings } from '../sampler.ts'

/** Buckets of a probability's bits: sign, exponent and the first five bits of the fraction. Bits of floats above 0 rise with the floats. */
const BUCKET_SHIFT = 18
const bucketMass = new Float64Array((0x3f800000 >>> BUCKET_SHIFT) + 2) // the last holds 1 and what rounding adds to it
const bucketCount = new Int32Array(bucketMass.length)

/** Where the likeliest tokens end: all buckets above `bucket` belong to them, and of its own tokens `among`. */
interface Cut {
  bucket: number
  among: number[]
  mass: number
}

/**
 * Draws among the topK likeliest (all where it is 0), and of those the smallest set that holds topP of them; `share` is in
 * [0, 1). Sorts only the bucket where the set ends. -1 where no probability is a number above 0.
 */
export function drawLikeliest(
  probabilities: Float32Array,
  { topK, topP }: Pick<SamplingSettings, 'topK' | 'topP'>,
  share: number,
): number {
  const most = topK > 0 ? Math.min(topK, probabilities.length) : probabilities.length
  const bits = new Uint32Array(probabilities.buffer, probabilities.byteOffset, probabilities.length)
  bucketMass.fill(0)
  bucketCount.fill(0)
  for (let token = 0; token < bits.length; token++) {
    const probability = probabilities[token]!
    if (!(probability > 0)) continue
    const bucket = bits[token]! >>> BUCKET_SHIFT
    bucketMass[bucket]! += probability
    bucketCount[bucket]!++
  }
  const all = cutAt(probabilities, bits, most, Number.POSITIVE_INFINITY)
  const kept = topP < 1 ? cutAt(probabilities, bits, most, topP * all.mass) : all
  const target = share * kept.mass
  let cumulative = 0
  let last = -1
  for (let token = 0; token < bits.length; token++) {
    if (!(probabilities[token]! > 0) || bits[token]! >>> BUCKET_SHIFT <= kept.bucket) continue
    cumulative += probabilities[token]!
    last = token
    if (cumulative > target) return token
  }
  for (const token of kept.among) {
    cumulative += probabilities[token]!
    last = token
    if (cumulative > target) return token
  }
  return last
}

/** Takes tokens, likeliest first and equals by number, until there are `count` of them or they hold `mass`. */
function cutAt(probabilities: Float32Array, bits: Uint32Array, count: number, mass: number): Cut {
  let bucket = bucketMass.length - 1
  let taken = 0
  let held = 0
  for (; bucket >= 0; bucket--) {
    if (taken + bucketCount[bucket]! >= count || held + bucketMass[bucket]! >= mass) break
    taken += bucketCount[bucket]!
    held += bucketMass[bucket]!
  }
  const own: number[] = []
  for (let token = 0; token < bits.length; token++) {
    if (probabilities[token]! > 0 && bits[token]! >>> BUCKET_SHIFT === bucket) own.push(token)
  }
  own.sort((a, b) => probabilities[b]! - probabilities[a]! || a - b)
  const among: number[] = []
  for (const token of own) {
    if (taken >= count || held >= mass) break
    among.push(token)
    taken++
    held += probabilities[token]!
  }
  return { bucket, among, mass: held }
}

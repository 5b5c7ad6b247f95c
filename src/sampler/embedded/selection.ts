// Choosing a token from one row of logits or probabilities, in one pass over the vocabulary where nothing has to be sorted.
import type { SamplingSettings } from '../sampler.ts'

/** The place of the largest number in row `row` of [rows, size]; the first of equals; -1 where there is none (not a number). */
export function chooseLargest(numbers: Float32Array, row: number, size: number): number {
  const start = row * size
  let best = -1
  let largest = Number.NEGATIVE_INFINITY
  for (let i = 0; i < size; i++) {
    const number = numbers[start + i]!
    if (number > largest) {
      largest = number
      best = i
    }
  }
  return best
}

/**
 * Draws from row `row` of probabilities [rows, size], cut to the topK likeliest and then to the smallest set of those
 * that holds topP of what is left. `uniform` is in [0, 1). -1 where no probability is a number above 0.
 */
export function chooseRandom(
  probabilities: Float32Array,
  row: number,
  size: number,
  { topK, topP }: Pick<SamplingSettings, 'topK' | 'topP'>,
  uniform: number,
): number {
  const start = row * size
  if (topK > 0 || topP < 1) {
    return drawFrom(likeliest(probabilities, start, size, topK > 0 ? Math.min(topK, size) : size, topP), uniform)
  }
  let cumulative = 0
  let last = -1
  for (let i = 0; i < size; i++) {
    const probability = probabilities[start + i]!
    if (!(probability > 0)) continue
    cumulative += probability
    last = i
    if (cumulative > uniform) return i
  }
  return last // the row's sum fell short of 1 by rounding
}

interface Candidate {
  token: number
  probability: number
}

/** The candidates that top-k and then top-p leave, likeliest first, equals by token. */
function likeliest(probabilities: Float32Array, start: number, size: number, topK: number, topP: number): Candidate[] {
  // All tokens below (1 - topP) / size together weigh less than 1 - topP, so the nucleus lies above.
  let floor = topK < size ? 0 : (1 - topP) / size
  let candidates: Candidate[] = []
  for (let token = 0; token < size; token++) {
    const probability = probabilities[start + token]!
    if (!(probability > floor)) continue
    candidates.push({ token, probability })
    if (candidates.length >= 2 * topK + 64) {
      candidates = candidates.sort(byProbability).slice(0, topK)
      floor = candidates[topK - 1]!.probability
    }
  }
  candidates = candidates.sort(byProbability).slice(0, topK)
  if (topP >= 1) return candidates
  const left = topK < size ? candidates.reduce((sum, { probability }) => sum + probability, 0) : 1
  const enough = topP * left
  let cumulative = 0
  const beyond = candidates.findIndex(({ probability }) => {
    cumulative += probability
    return cumulative >= enough
  })
  return beyond < 0 ? candidates : candidates.slice(0, beyond + 1)
}

function byProbability(a: Candidate, b: Candidate): number {
  return b.probability - a.probability || a.token - b.token
}

function drawFrom(candidates: Candidate[], uniform: number): number {
  const target = uniform * candidates.reduce((sum, { probability }) => sum + probability, 0)
  let cumulative = 0
  for (const { token, probability } of candidates) {
    cumulative += probability
    if (cumulative > target) return token
  }
  return candidates.at(-1)?.token ?? -1
}

// Adapters of several stages as one: what each stage merged and built upon becomes a single PEFT adapter for the first base.
import {
  type Adapter,
  type AdapterFactors,
  type AdapterLayer,
  adapterScale,
  openAdapter,
  vllmRanks,
  writeAdapter,
} from '../formats/adapter.ts'
import { readTensor, type StoredTensor } from '../formats/safetensors.ts'

/**
 * Writes W + s1 B1 A1 + s2 B2 A2 + ... as one adapter: the factors stand beside each other, the ranks add up. It is padded
 * with zeros, which change nothing, to the next rank that vLLM takes.
 * @param folders of the adapters, in the order of their training; each was trained on the one before, merged.
 * @param baseModel what adapter_config.json names as the base.
 * @param folder one that is there.
 */
export async function writeJoinedAdapter(folders: readonly string[], baseModel: string, folder: string): Promise<void> {
  const adapters = await Promise.all(folders.map(openAdapter))
  const total = adapters.reduce((sum, { config }) => sum + config.rank, 0)
  const rank = vllmRanks.find((allowed) => allowed >= total) ?? total
  const weights = [...new Set(adapters.flatMap(({ layers }) => [...layers.keys()]))]
  const layers = await Promise.all(weights.map((weight) => joinLayer(weight, adapters, rank)))
  const targetModules = [...new Set(adapters.flatMap(({ config }) => config.targetModules))]
  // The scales are in B already: alpha / rank = 1.
  await writeAdapter(folder, { rank, alpha: rank, targetModules, baseModel }, layers)
}

/** a [rank, inputs]: the adapters' own below each other; b [outputs, rank]: theirs, scaled, beside each other. */
async function joinLayer(weight: string, adapters: readonly Adapter[], rank: number): Promise<AdapterLayer> {
  const own = adapters.flatMap(({ config, layers }) => {
    const factors = layers.get(weight)
    return factors === undefined ? [] : [{ config, factors }]
  })
  const { a: anyA, b: anyB } = own[0]!.factors
  const [inputs, outputs] = [anyA.shape[1]!, anyB.shape[0]!]
  const a = new Float32Array(rank * inputs)
  const b = new Float32Array(outputs * rank)
  let from = 0
  for (const { config, factors } of own) {
    const values = await readFactors(factors)
    a.set(values.a, from * inputs)
    const scale = adapterScale(config)
    for (let o = 0; o < outputs; o++) {
      for (let r = 0; r < config.rank; r++) b[o * rank + from + r] = scale * values.b[o * config.rank + r]!
    }
    from += config.rank
  }
  return { weight, inputs, outputs, a, b }
}

async function readFactors({ a, b }: AdapterFactors<StoredTensor>): Promise<AdapterFactors<Float32Array>> {
  return { a: await readTensor(a), b: await readTensor(b) }
}

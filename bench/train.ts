// Training beside TRL and PyTorch, in turn: `train [cpt qlora rpo rpo-group miniature] [--steps N --pairs N --peer-pairs N --layers N --runs N --sides a,b --record no]`.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { internal } from '../src/base/errors.ts'
import { loadModelConfig } from '../src/model/config.ts'
import { type Comparison, median } from './sides/comparison.ts'
import { fullLayers, largeModel } from './sides/material.ts'
import { miniature } from './sides/miniature.ts'
import { countOperations, type ProductRates, timeProducts } from './sides/operations.ts'
import { preference } from './sides/preference.ts'
import { presentComparisons, readArguments } from './sides/present.ts'
import { float32Form, nf4Form, pretraining } from './sides/pretraining.ts'
import { ownProgram } from './sides/programs.ts'
import { runProgram } from './sides/side.ts'

const packTokens = 1024
const quantisedPackTokens = 512
const rows = ['cpt', 'qlora', 'rpo', 'rpo-group', 'miniature']

const { chosen, settings } = readArguments(rows, {
  steps: '10', // measured
  warm: '2', // before them
  pairs: '16',
  'peer-pairs': '', // fewer: the other sides take only so many, at a like time each; all where it is left out
  layers: String(fullLayers), // fewer where a side would take too long; the table says so
  record: 'yes', // no: a trial, which docs/benchmarks.md is not told of
})
const folder = await mkdtemp(join(tmpdir(), 'meikai-bench-'))
try {
  const layers = Number(settings.layers)
  const amounts = {
    folder,
    steps: Number(settings.steps),
    warm: Number(settings.warm),
    pairs: Number(settings.pairs),
    peerPairs: Number(settings['peer-pairs'] || settings.pairs),
  }
  const withModel = async () => ({ ...amounts, model: await largeModel(layers) })
  const makers: Record<string, () => Promise<Comparison>> = {
    cpt: async () => pretraining(await withModel(), float32Form, packTokens),
    qlora: async () => pretraining(await withModel(), nf4Form, quantisedPackTokens),
    rpo: async () => preference(await withModel(), { key: 'rpo', pairsOfQuestion: 1, factor: 3.5, int8Factor: 5 }),
    'rpo-group': async () =>
      preference(await withModel(), { key: 'rpo-group', pairsOfQuestion: 4, factor: 7, int8Factor: 7 }),
    miniature: () => miniature(folder),
  }
  await presentComparisons(
    'train',
    chosen.map((key) => makers[key] ?? internal(`no row ${key}`)),
    settings,
    {
      recorded: settings.record === 'yes',
      condition: layers === fullLayers ? '' : `, ${layers} of the model's ${fullLayers} layers`,
      // What share of the machine's product rate the steps reach, measured by the side.
      after: async ({ key }, results) => {
        const ours = results[0]
        if (key !== 'cpt' || ours === undefined || ours.runs.length === 0) return []
        const model = await largeModel(layers)
        const job = { model, tokens: packTokens }
        const { reply } = await runProgram<{ rates: ProductRates }>(ownProgram('products.ts'), job)
        const config = await loadModelConfig(model)
        const tokensPerSecond = median(ours.runs)
        const directions = Object.entries(reply.rates).flatMap(([shape, { forward, backward }]) => [
          { name: shape, rate: forward },
          { name: `${shape} backward`, rate: backward },
        ])
        const best = directions.reduce((a, b) => (a.rate > b.rate ? a : b))
        const done = tokensPerSecond * countOperations(config, packTokens)
        const giga = (rate: number) => (rate / 1e9).toFixed(0)
        const percent = (share: number) => `${(100 * share).toFixed(0)} %`
        const share = done / best.rate
        const products = tokensPerSecond * timeProducts(config, packTokens, reply.rates)
        return [
          `share of the matrix rate: ${percent(share)}: ${giga(done)} of ${giga(best.rate)} GFLOP/s, the best product's (${best.name})`,
          `the same products, each alone and at its best, would take ${percent(products)} of the step: ${directions.map(({ name, rate }) => `${name} ${giga(rate)}`).join(', ')}`,
          `goal 78 % of the matrix rate: ${share >= 0.78 ? 'reached' : 'NOT reached'}, ${percent(share)}`,
        ]
      },
    },
  )
} finally {
  await rm(folder, { recursive: true, force: true })
}

// Sampling beside llama.cpp, in turn: `sample [long short] [--samples N --tokens N --peer-tokens N --runs N --sides a,b]`.
import { median } from './sides/comparison.ts'
import { fullLayers, largeModel } from './sides/material.ts'
import { presentComparisons, readArguments } from './sides/present.ts'
import { longPrompt, sampling, shortPrompt } from './sides/samplings.ts'

const prompts: Record<string, number> = { long: longPrompt, short: shortPrompt }
const { chosen, settings } = readArguments(Object.keys(prompts), {
  samples: '30',
  tokens: '200',
  'peer-tokens': '200', // fewer: llama.cpp writes so many of each sample, its rate is taken for the others
  layers: String(fullLayers), // fewer: a quick trial, which is not recorded
})
const layers = Number(settings.layers)
const model = await largeModel(layers)
/** Our rate at the long prompt. */
let long: number | undefined
await presentComparisons(
  'sample',
  chosen.map((key) => () => {
    const promptTokens = prompts[key] ?? longPrompt
    const [samples, tokens] = [Number(settings.samples), Number(settings.tokens)]
    return sampling(model, { key, promptTokens, samples, tokens, peerTokens: Number(settings['peer-tokens']) })
  }),
  settings,
  {
    recorded: layers === fullLayers,
    after: async ({ key }, [ours]) => {
      const rate = median(ours?.runs ?? [])
      if (key === 'long') long = rate
      if (key !== 'short' || long === undefined) return []
      const share = long / rate
      return [
        `goal 0.85 of the rate at a prompt of ${shortPrompt} tokens with one of ${longPrompt}: ${share >= 0.85 ? 'reached' : 'NOT reached'}, ${share.toFixed(2)}`,
      ]
    },
  },
)

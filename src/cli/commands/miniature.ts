// meikai miniature: the invented world of the quickstart, for any seed.
import { UserError } from '../../base/errors.ts'
import { requireAbsent } from '../absent.ts'
import { defineCommand, jsonOption } from '../command.ts'

export const miniature = defineCommand({
  meta: {
    name: 'miniature',
    description: "Write the quickstart's invented world: texts, questions, tokenizer, model shape",
  },
  args: {
    folder: { type: 'positional', required: true, description: 'Where to write it; must not be there yet' },
    seed: { type: 'string', valueHint: 'NUMBER', default: '0', description: 'Which world' },
    ...jsonOption,
  },
  examples: [{ line: 'meikai miniature world --seed 7', purpose: 'the world of seed 7, in the folder world' }],
  async run({ args: { folder, seed, json } }) {
    if (!/^\d{1,9}$/.test(seed)) throw new UserError(`--seed ${seed}: must be a whole number from 0.`, { status: 2 })
    await requireAbsent(folder)
    const { writeWorld } = await import('../../miniature/write-world.ts')
    const { miniatureSettings } = await import('../../recipe/data-settings.ts')
    const { explainedShare } = miniatureSettings.parse({})
    const world = await writeWorld(folder, { seed: Number(seed), explainedShare })
    if (json) {
      console.log(JSON.stringify({ type: 'world-written', folder, seed: Number(seed), ...world }))
      return 0
    }
    for (const file of world.files) console.log(`${folder}/${file}`)
    const counts = Object.entries(world.questions).map(([name, count]) => `${name} ${count}`)
    console.log(`World ${seed}: ${world.vocabulary} tokens; questions: ${counts.join(', ')}.`)
    return 0
  },
})

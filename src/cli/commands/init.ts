// meikai init: a commented recipe to start from.
import { requireAbsent } from '../absent.ts'
import { defineCommand, jsonOption } from '../command.ts'

export const init = defineCommand({
  meta: { name: 'init', description: 'Write a commented recipe for your model, your texts and your exam' },
  args: {
    file: { type: 'positional', required: false, default: 'recipe.yaml', description: 'Where to write it' },
    ...jsonOption,
  },
  examples: [{ line: 'meikai init my-recipe.yaml', purpose: 'write my-recipe.yaml, to be filled in' }],
  async run({ args: { file, json } }) {
    await requireAbsent(file)
    const { writeFileAtomic } = await import('../../base/files.ts')
    const { writeExample } = await import('../../recipe/reference.ts')
    await writeFileAtomic(file, writeExample())
    console.log(
      json
        ? JSON.stringify({ type: 'recipe-written', file })
        : `${file} is written. Fill in its paths, then: meikai doctor ${file}`,
    )
    return 0
  },
})

// meikai doctor: what is wrong with a recipe and what it names, and what it will take on this machine.
import { repeatedValues } from '../arguments.ts'
import { defineCommand, jsonOption } from '../command.ts'

const args = {
  recipe: { type: 'positional', required: true, description: 'The recipe, a YAML file' },
  set: { type: 'string', valueHint: 'KEY=VALUE', description: 'Override a setting; may stand several times' },
  runs: { type: 'string', valueHint: 'FOLDER', default: 'runs', description: 'The folder that holds a folder a run' },
  ...jsonOption,
} as const

export const doctor = defineCommand({
  meta: { name: 'doctor', description: 'Check a recipe, its files, and the memory, disk and time that it needs here' },
  args,
  examples: [{ line: 'meikai doctor recipe.yaml', purpose: 'what is wrong, where, and what to do; trains nothing' }],
  async run({ args: { recipe: file, runs, json }, rawArgs }) {
    const { default: colors } = await import('picocolors')
    const { loadRecipe } = await import('../../recipe/recipe.ts')
    const { diagnose } = await import('../../pipeline/doctor/diagnose.ts')
    const loaded = await loadRecipe(file, { overrides: repeatedValues(rawArgs, args, 'set') })
    const signs = { good: colors.green('✓'), warning: colors.yellow('!'), error: colors.red('✗') }
    const counts = { good: 0, warning: 0, error: 0 }
    for await (const finding of diagnose(loaded, runs)) {
      counts[finding.severity]++
      if (json) console.log(JSON.stringify({ type: 'finding', ...finding }))
      else console.log(`${signs[finding.severity]} ${finding.subject.padEnd(7)}  ${finding.message}`)
    }
    const { warning, error } = counts
    if (json) console.log(JSON.stringify({ type: 'diagnosis', warnings: warning, errors: error }))
    else if (error > 0) console.log(`It will not run: ${error} to mend, ${warning} to look at.`)
    else console.log(warning > 0 ? `It can run; ${warning} to look at.` : `It can run: meikai run ${file}`)
    return error > 0 ? 1 : 0
  },
})

// The import rules: which folder of src/ may import which, and who owns each package. Biome enforces them.
// Written into biome.imports.json by `npm run import-rules`; a test checks that the file is current and that it bites.
import { writeFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'

/**
 * What a folder may import besides itself and base: folders, or single files of a folder.
 * Unit tests beside the files are free, as are test/ and bench/.
 */
export const folders: Record<string, string[]> = {
  base: [],

  // The embedded half, as a compiler reads.
  graph: [],
  autodiff: ['graph'],
  runtime: ['graph'],
  formats: [],
  tokenizer: [],
  model: ['graph', 'formats'],
  training: ['graph', 'autodiff', 'model'],

  // What does work. The engine's interface names models and estimates; the sampler's speaks of the same.
  engine: ['graph', 'runtime', 'model', 'training', 'data', 'formats'],
  // The cluster trains what the embedded engine would: the same initial adapter, on the same shapes.
  'engine/cluster': [
    'data',
    'formats',
    'model/config.ts',
    'model/weights.ts',
    'training/initial-values.ts',
    'training/preference-groups.ts',
  ],
  sampler: ['graph', 'runtime', 'model', 'formats', 'tokenizer', 'engine/engine.ts'],
  'sampler/server': ['engine/engine.ts'],
  // A server is a job like those of the cluster engine.
  'sampler/started': ['engine', 'formats'],

  // What we know.
  stats: [],
  runs: [],
  recipe: [],
  data: ['tokenizer'],
  exam: ['sampler', 'stats', 'data', 'tokenizer'],
  preference: ['data', 'exam'],
  miniature: ['data', 'exam', 'tokenizer', 'formats'],

  // What people touch.
  report: ['runs', 'stats', 'exam', 'data', 'preference'],
  export: ['model', 'formats', 'tokenizer', 'sampler', 'exam', 'engine/engine.ts'],
  pipeline: [
    'recipe',
    'runs',
    'engine',
    'sampler',
    'exam',
    'preference',
    'miniature',
    'report',
    'export',
    'data',
    'tokenizer',
    // Adapters joined; models of the hub; the model's context and size, its weights looked over;
    // the machine's speed.
    'formats/adapter.ts',
    'model/checkpoint.ts',
    'model/config.ts',
    'model/hub.ts',
    'model/hub-download.ts',
    'model/published-shapes.ts',
    'model/weights.ts',
    'runtime/matrix-rate.ts',
  ],
  web: ['runs', 'report', 'preference', 'data', 'sampler', 'tokenizer'],
  cli: [
    'recipe',
    'runs',
    'engine',
    'sampler',
    'data',
    'stats',
    'exam',
    'preference',
    'miniature',
    'report',
    'export',
    'pipeline',
    'web',
  ],
}

/** The folders that may import a package. zod is free: a folder describes its own records in it. */
export const packages: Record<string, string[]> = {
  '@bufbuild/protobuf': ['runtime'],
  '@huggingface/hub': ['model'],
  '@huggingface/jinja': ['tokenizer'],
  '@huggingface/tokenizers': ['tokenizer'],
  '@mixmark-io/domino': ['report'],
  '@observablehq/plot': ['report'],
  'apache-arrow': ['data'],
  citty: ['cli'],
  'csv-parse': ['data'],
  'fastest-levenshtein': ['base'],
  hyparquet: ['data'],
  'hyparquet-compressors': ['data'],
  'log-update': ['cli'],
  'onnxruntime-node': ['runtime'],
  picocolors: ['cli'],
  tinyglobby: ['data'],
  yaml: ['base', 'recipe'],
  undici: ['exam', 'model', 'sampler'],
  zod: Object.keys(folders),
}

/** Biome's configuration of the rules. An override replaces the base options, so each one carries everything. */
function biomeRules() {
  const overrides = Object.entries(folders).map(([folder, allowed]) => {
    const patterns = [folderPattern(folder, allowed), packagePattern(folder)]
    return {
      includes: [`**/src/${folder}/**`, '!**/*.{test,contract,fixture}.ts'],
      linter: { rules: { style: { noRestrictedImports: { level: 'error', options: { patterns } } } } },
    }
  })
  return { overrides }
}

function folderPattern(folder: string, allowed: string[]) {
  const own = folder.split('/')[0] as string
  const foreign = Object.keys(folders).filter(
    (other) => !other.includes('/') && !['base', own, ...allowed].includes(other),
  )
  const files = allowed.filter((path) => path.includes('/'))
  return {
    group: [...foreign.map((other) => `**/${other}/**`), ...files.map((file) => `!**/${file}`)],
    message: `src/${folder} may import ${['base', ...allowed].join(', ')} (scripts/import-rules.ts).`,
  }
}

function packagePattern(folder: string) {
  const own = folder.split('/')[0] as string
  const names = Object.keys(packages)
  const foreign = names.filter((name) => !packages[name]?.includes(own))
  const its = names.filter((name) => packages[name]?.includes(own))
  return {
    group: foreign.flatMap((name) => [name, `${name}/**`]),
    message: `Of the packages, src/${folder} may import ${its.join(', ')} (scripts/import-rules.ts).`,
  }
}

/** The text of biome.imports.json, a line a folder. */
export function rulesFile() {
  const { overrides } = biomeRules()
  return `{ "overrides": [\n${overrides.map((override) => JSON.stringify(override)).join(',\n')}\n] }\n`
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  writeFileSync(new URL('../biome.imports.json', import.meta.url), rulesFile())
}

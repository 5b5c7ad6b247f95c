// The miniature's world with few documents and a model of one layer: whole pipelines on it take seconds.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { loadJsonLines, readJson, writeJson } from '../src/base/files.ts'
import type { ExamItem } from '../src/exam/records.ts'
import { writeWorld } from '../src/miniature/write-world.ts'

/** Writes the world; gives the text of every question's answer by its id. `change` goes over the model's configuration. */
export async function writeSmallWorld(
  folder: string,
  pretrainDocuments: number,
  change: Record<string, number> = {},
): Promise<Map<string, string>> {
  await writeWorld(folder, { seed: 1, explainedShare: 0.5, baseDocuments: 20, pretrainDocuments })
  const config = join(folder, 'model', 'config.json')
  const small = {
    hidden_size: 16,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    num_key_value_heads: 1,
    intermediate_size: 16,
  }
  await writeJson(config, { ...((await readJson(config)) as object), ...small, ...change })
  const answers = new Map<string, string>()
  for (const part of ['preference', 'test']) {
    for (const item of await loadJsonLines<ExamItem>(join(folder, 'exam', `${part}.jsonl`))) {
      answers.set(item.id, item.options[(item.gold[0]?.[0] ?? 'a').charCodeAt(0) - 97] ?? '')
    }
  }
  return answers
}

/** A recipe on a small world in `world`, whose texts a server writes: the settings of it, and how many questions are asked. */
export function servedRecipe(name: string, items: { preference: number; test: number }, sampler: string): string {
  return `name: ${name}
threads: 1
variants: [base, cpt, cpt+rpo]
model: {folder: world/model}
corpus: {texts: [{path: world/pretrain/medicine.jsonl}], duplicates: keep, overlapCharacters: 0}
pretrain: {method: full, steps: 2}
exam:
  preference: {path: world/exam/preference.jsonl, items: ${items.preference}}
  test: {path: world/exam/test.jsonl, items: ${items.test}}
  answerForm: option-text
sample: {samples: 4, maxTokens: 60}
prefer: {method: full, steps: 2}
examine: {answerTokens: 40, explainTokens: 60}
report: {probeQuestions: 0} # probes ask what the examination asks: calls could not be told apart
sampler:
  kind: server
  model: "run/{model}"
${sampler}
`
}

/** Writes a small world and recipe.yaml, whose run starts its own servers (see fake-vllm.fixture.ts) in `serving` beside it. */
export async function writeStartedRun(
  folder: string,
  name: string,
  { documents, concurrency, ...items }: { documents: number; concurrency: number; preference: number; test: number },
): Promise<void> {
  // The fake server's tokens are code points.
  await writeSmallWorld(join(folder, 'world'), documents, { vocab_size: 65_536 })
  const start = `start: {environment: serving, gpus: 2, concurrency: ${concurrency}}`
  const sampler = `  dialect: vllm\n  ${start}\nengine: {device: cpu}`
  await writeFile(join(folder, 'recipe.yaml'), servedRecipe(name, items, sampler))
}

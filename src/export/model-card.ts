// The model card: README.md of an exported folder, from the run's report and from what the export found.
import type { ExportFormat } from './export-model.ts'
import type { Problem } from './release-checks.ts'
import { describeExamined, type Examined } from './stranger.ts'

/** What the run's report says about the model. */
export interface CardFacts {
  /** The run and the variant, for people. */
  title: string
  /** What training started from: a name on a hub, or undefined where it was a folder or nothing. */
  baseModel: string | undefined
  /** Texts, questions and weights that it was made from. */
  sources: { name: string; role: string; licence?: string; documents?: number; tokens?: number }[]
  /** One row an examination: 'answering at once', '82.8 % (207/250; 77.6 to 87.0)', run-on and unreadable outputs. */
  scores: { model: string; way: string; accuracy: string; runOn: string; unreadable: string }[]
  questions: number
  finding: string
  /** What fewer bits changed between training and these weights, a sentence each. */
  changes: readonly string[]
  limits: string[]
  /** A question as the model was asked, with its template filled in. */
  examplePrompt: string | undefined
  seed: number
  versions: Record<string, string>
  hosts: string[]
}

/** What the card says about the files beside it. */
export interface CardExport {
  format: ExportFormat
  endTokens: { id: number; spelling: string }[]
  template: 'own' | 'plain' | 'none'
  problems: readonly Problem[]
  examined: readonly Examined[]
}

/** The licence for the card's header: the base model's, if it says one. */
function licenceOf({ sources }: CardFacts): string | undefined {
  return sources.find(({ role }) => role === 'base model')?.licence
}

/** README.md. */
export function writeCard(facts: CardFacts, written: CardExport): string {
  const licence = licenceOf(facts)
  const header = [
    '---',
    ...(licence === undefined ? [] : [`license: ${yaml(licence.toLowerCase())}`]),
    ...(facts.baseModel === undefined ? [] : [`base_model: ${yaml(facts.baseModel)}`]),
    'pipeline_tag: text-generation',
    ...(written.format === 'peft'
      ? ['library_name: peft']
      : written.format === 'safetensors'
        ? ['library_name: transformers']
        : []),
    'tags: [meikai, continued-pretraining, preference-optimization]',
    '---',
  ].join('\n')
  const parts = [
    header,
    `# ${plain(facts.title)}`,
    plain(facts.finding),
    '## What it was made from',
    table(
      ['Source', 'What', 'Licence', 'Documents', 'Tokens'],
      facts.sources.map(({ name, role, licence: own, documents, tokens }) => [
        name,
        role,
        own ?? 'not stated',
        documents === undefined ? '' : String(documents),
        tokens === undefined ? '' : String(tokens),
      ]),
    ),
    '## Scores',
    table(
      ['Model', 'Asked', 'Accuracy (right/questions; 95 %)', 'Run-on', 'Unreadable'],
      facts.scores.map(({ model, way, accuracy, runOn, unreadable }) => [model, way, accuracy, runOn, unreadable]),
    ),
    `${facts.questions} questions, greedy decoding, seed ${facts.seed}.`,
    '## How to run it',
    describeUse(facts, written),
    '## What the export found',
    list([
      ...written.problems.map(({ name, message }) => `${name}: ${message}`),
      ...written.examined.map(capital),
      ...facts.changes,
    ]),
    '## What the scores do not show',
    list(facts.limits),
    `Made by ${Object.entries(facts.versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(', ')}. Hosts contacted: ${facts.hosts.length === 0 ? 'none' : facts.hosts.join(', ')}.`,
  ]
  return `${parts.join('\n\n')}\n`
}

function describeUse({ examplePrompt }: CardFacts, { endTokens, template }: CardExport): string {
  const ends = endTokens.map(({ id, spelling }) => `\`${spelling}\` (${id})`).join(', ')
  const templates = {
    own: 'Its chat template is that of the model it was made from.',
    plain: 'Its chat template writes messages as they are, without markers: the model was trained on plain text.',
    none: 'It has no chat template: give it plain text.',
  }
  const lines = [`It stops at ${ends}. ${templates[template]}`]
  if (examplePrompt !== undefined) {
    lines.push('A question as it was asked in the examination, from the first character to the last:')
    lines.push(`\`\`\`\`text\n${examplePrompt}\n\`\`\`\``)
  }
  return lines.join('\n\n')
}

function capital(examined: Examined): string {
  const text = describeExamined(examined)
  return text[0]!.toUpperCase() + text.slice(1)
}

function list(items: readonly string[]): string {
  return items.length === 0 ? 'Nothing.' : items.map((item) => `- ${plain(item)}`).join('\n')
}

function table(head: string[], rows: string[][]): string {
  const line = (cells: string[]) => `| ${cells.map(plain).join(' | ')} |`
  return [line(head), `|${head.map(() => '---|').join('')}`, ...rows.map(line)].join('\n')
}

/** Text that cannot become markup. */
function plain(text: string): string {
  return text.replace(/\s+/g, ' ').replace(/[\\|`*_[\]<>]/g, '\\$&')
}

function yaml(text: string): string {
  return /^[\w./@-]+$/.test(text) ? text : JSON.stringify(text)
}

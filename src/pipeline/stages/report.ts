// The report stage: gathers what every other stage left, and writes the page, the numbers and the text.
import { join } from 'node:path'
import { internal, UserError } from '../../base/errors.ts'
import { readJson, writeFileAtomic, writeJson } from '../../base/files.ts'
import type { TrainingEvent } from '../../base/progress.ts'
import { printPrompts, promptText } from '../../exam/prompts.ts'
import type { ExamItem } from '../../exam/records.ts'
import type { Verdict } from '../../preference/records.ts'
import { loadVerdicts } from '../../preference/verdicts.ts'
import type { Recipe, VariantName } from '../../recipe/recipe.ts'
import { MAX_SHOWN_PAIRS } from '../../report/record-sections.ts'
import { buildReport } from '../../report/report.ts'
import type { ReportInput, ReportOverlap, ReportPairs, ReportTraining, VariantRole } from '../../report/report-input.ts'
import { lockFolder } from '../../runs/lock.ts'
import { describeOutputs, type Manifest, readManifest, writeManifest } from '../../runs/manifest.ts'
import { metricsName, readMetrics } from '../../runs/metrics.ts'
import { loadChanges } from '../merging.ts'
import { promptOptions } from '../prompts.ts'
import type { Stage, StageVariants } from '../stage.ts'
import { versions } from '../versions.ts'
import { loadCorpusCounts } from './corpus.ts'
import { baseModelRole } from './download.ts'
import { loadQuestions } from './exam.ts'
import { loadAnswers } from './examine.ts'
import { loadPairs } from './pair.ts'
import { loadProbes } from './probe.ts'

export const reportFiles = { html: 'report.html', json: 'report.json', markdown: 'report.md', input: 'input.json' }

const roles: Record<VariantName, VariantRole> = {
  base: 'base',
  cpt: 'pretrained',
  'cpt+rpo': 'rpo',
  'cpt+dpo': 'dpo',
  'cpt+winners': 'winners',
  rpo: 'rpo-without-pretraining',
}

export function reportStage(recipe: Recipe, stages: readonly Stage[], variants: StageVariants): Stage {
  return {
    id: 'report',
    kind: 'report',
    title: 'Report',
    dependencies: stages.map(({ id }) => ({ stage: id })),
    inputs: {},
    settings: recipe.written,
    async run({ folder, runFolder }) {
      const input = await gatherReport(recipe, stages, variants, runFolder)
      await writeFileAtomic(join(folder, reportFiles.input), JSON.stringify(input))
      const finding = await writeReport(folder, input)
      return { outputs: Object.values(reportFiles), summary: finding }
    },
  }
}

/** Writes the page, the numbers and the text into the report's folder; returns the finding in a sentence or two. */
async function writeReport(folder: string, input: ReportInput): Promise<string> {
  const report = buildReport(input)
  await writeFileAtomic(join(folder, reportFiles.html), report.html)
  await writeJson(join(folder, reportFiles.json), report.json)
  await writeFileAtomic(join(folder, reportFiles.markdown), report.markdown)
  return report.json.finding
}

/**
 * Writes a finished run's report anew, from what its report stage gathered.
 * @returns the folder that it lies in, and the finding.
 * @throws UserError where the run has no report yet, or another process is in it.
 */
export async function rewriteReport(runFolder: string): Promise<{ folder: string; finding: string }> {
  const folder = join(runFolder, 'report')
  const manifest = await readManifest(folder)
  if (manifest === null) {
    throw new UserError(
      `${runFolder}: no finished report there. Name the folder of a finished run, such as runs/quickstart.`,
    )
  }
  const unlock = await lockFolder(runFolder)
  try {
    const finding = await writeReport(folder, (await readJson(join(folder, reportFiles.input))) as ReportInput)
    const { format: _, ...kept } = manifest
    await writeManifest(folder, { ...kept, outputs: await describeOutputs(folder, Object.values(reportFiles)) })
    return { folder, finding }
  } finally {
    await unlock()
  }
}

/** Everything that a report is made of, from the folders of finished stages. */
export async function gatherReport(
  recipe: Recipe,
  stages: readonly Stage[],
  variants: StageVariants,
  runFolder: string,
): Promise<ReportInput> {
  const manifests = new Map<string, Manifest>()
  for (const { id } of stages) {
    manifests.set(
      id,
      (await readManifest(join(runFolder, id))) ?? internal(`${id} has no manifest when the report is made`),
    )
  }
  const variantsOf = (id: string) => variants.get(id) ?? []
  const items = await loadQuestions(recipe, runFolder, 'test')
  const of = (kind: Stage['kind']) => stages.filter((stage) => stage.kind === kind)
  return {
    run: {
      name: recipe.name,
      seed: recipe.seed,
      threads: recipe.threads,
      versions: versions(),
      hosts: [...new Set([...manifests.values()].flatMap(({ hosts = [] }) => hosts))].sort(),
      sources: gatherSources(recipe, [...manifests.values()]),
    },
    recipe: recipe.written,
    stages: stages.map(({ id, title }) => ({
      id,
      title,
      seconds: manifests.get(id)?.seconds ?? 0,
      variants: variantsOf(id),
    })),
    items: await withPrompts(recipe, runFolder, items),
    answerCue: (await promptOptions(recipe, runFolder)).template.answerCue,
    variants: await Promise.all(
      recipe.variants.map(async (name) => {
        const graded = await loadAnswers(runFolder, name)
        const answers = Object.fromEntries(
          recipe.examine.ways.map((way) => [way, graded.filter((answer) => answer.way === way)]),
        )
        return { name, role: roles[name], answers }
      }),
    ),
    trainings: await Promise.all(
      [...of('pretrain'), ...of('prefer')].map(async (stage) => ({
        ...(await gatherTraining(stage, variantsOf(stage.id), runFolder)),
        ...(await gatherChanges(join(runFolder, stage.id), manifests.get(stage.id)!)),
      })),
    ),
    pairs: await Promise.all(of('pair').map((stage) => gatherPairs(recipe, stage, variantsOf(stage.id), runFolder))),
    overlaps: await gatherOverlaps(of('corpus'), new Set(items.map(({ id }) => id)), runFolder),
    probes: (await Promise.all(of('probe').map(({ id }) => loadProbes(runFolder, id)))).flat(),
    notes: gatherNotes(recipe),
  }
}

/** What the searched corpora hold of the examined questions. */
async function gatherOverlaps(
  corpora: readonly Stage[],
  examined: ReadonlySet<string>,
  runFolder: string,
): Promise<ReportOverlap[]> {
  const counts = await Promise.all(corpora.map(({ id }) => loadCorpusCounts(join(runFolder, id))))
  return corpora.flatMap(({ id, title }, i) => {
    const { sources, overlapSearch } = counts[i]!
    if (overlapSearch === undefined) return []
    const found = sources.flatMap(({ overlaps }) => overlaps).filter(({ item }) => examined.has(item))
    const tooGeneral = overlapSearch.tooGeneral.filter((item) => examined.has(item))
    return [{ stage: id, title, tooGeneral, found }]
  })
}

async function withPrompts(recipe: Recipe, runFolder: string, items: ExamItem[]): Promise<ReportInput['items']> {
  const printed = printPrompts(items, recipe.examine.ways, await promptOptions(recipe, runFolder))
  const prompts = new Map(printed.map(({ id, way, prompt }) => [`${way} ${id}`, promptText(prompt)]))
  return items.map((item) => ({
    ...item,
    prompts: Object.fromEntries(recipe.examine.ways.map((way) => [way, prompts.get(`${way} ${item.id}`)])),
  }))
}

async function gatherTraining(stage: Stage, variants: VariantName[], runFolder: string): Promise<ReportTraining> {
  const events: TrainingEvent[] = await readMetrics(join(runFolder, stage.id, metricsName))
  const { loss } = (stage.settings.prefer ?? {}) as { loss?: 'rpo' | 'dpo' | 'winners' }
  const { id, title, round } = stage
  return { stage: id, title, objective: loss ?? 'next-token', ...(round !== undefined && { round }), variants, events }
}

async function gatherChanges(folder: string, { outputs }: Manifest): Promise<Pick<ReportTraining, 'changes'>> {
  const changes = await loadChanges(folder, outputs)
  return changes.length === 0 ? {} : { changes }
}

async function gatherPairs(
  recipe: Recipe,
  { id, title, round = 1 }: Stage,
  variants: VariantName[],
  runFolder: string,
): Promise<ReportPairs> {
  const { pairs, counts } = await loadPairs(runFolder, id, MAX_SHOWN_PAIRS)
  const verdictOf = new Map<string, Verdict['verdict']>()
  if (recipe.pair.verdicts !== undefined) {
    for (const { pair, verdict } of await loadVerdicts(recipe.pair.verdicts)) verdictOf.set(pair, verdict)
  }
  const { questions, samples, ...reasons } = counts.pairs
  const judged = counts.verdicts
  return {
    stage: id,
    title,
    round,
    variants,
    questions,
    samples,
    used: counts.training,
    counts: { ...reasons, heldOutPairs: counts.heldOut },
    verdicts: judged
      ? { accept: judged.accepted, reject: judged.rejected, swap: judged.swapped, edit: judged.edited }
      : {},
    ...(counts.agreement && { agreement: counts.agreement }),
    pairs: pairs.map(({ promptTokens: _, chosenTokens: __, rejectedTokens: ___, ...pair }) => {
      const verdict = verdictOf.get(pair.id)
      return verdict === undefined ? pair : { ...pair, verdict }
    }),
  }
}

function gatherSources(recipe: Recipe, manifests: readonly Manifest[]): ReportInput['run']['sources'] {
  const sources = manifests.flatMap((manifest) => manifest.sources)
  if (sources.some(({ role }) => role === baseModelRole)) return sources
  const { licence } = recipe.model
  return [{ name: 'model', role: baseModelRole, ...(licence !== undefined && { licence }) }, ...sources]
}

/** What the settings themselves say about how far the numbers reach. */
function gatherNotes(recipe: Recipe): string[] {
  const notes: string[] = []
  if (recipe.miniature !== undefined) {
    notes.push('The world, its medicine and its examination are invented: accuracies say nothing about real medicine.')
  }
  if (recipe.exam.test.items !== undefined) {
    notes.push(`Examined on a seeded choice of ${recipe.exam.test.items} test questions, not on all.`)
  }
  return notes
}

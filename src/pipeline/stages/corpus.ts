// The corpus: texts read, cleaned, rid of doubles and of overlap with the exam, tokenised; some held out.
import { stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { UserError } from '../../base/errors.ts'
import { readJson, writeJson } from '../../base/files.ts'
import { formatCount } from '../../base/format.ts'
import { type CorpusSource, prepareCorpus } from '../../data/corpus.ts'
import { openDocumentWorkers } from '../../data/document-workers.ts'
import { measureDocuments, readDocuments, type SourceDocument } from '../../data/documents.ts'
import type { CorpusStatistics, SourceStatistics } from '../../data/statistics.ts'
import { type PromptOptions, printAnswered } from '../../exam/prompts.ts'
import type { ExamItem, Way } from '../../exam/records.ts'
import type { Recipe } from '../../recipe/recipe.ts'
import { locatePath, reads, readsFiles, readsTokenizer, tokenizerFolder } from '../models.ts'
import { promptOptions, promptSettings, readsPrompts } from '../prompts.ts'
import type { Dependency, Stage } from '../stage.ts'
import { loadQuestions, readsExam } from './exam.ts'

const files = {
  training: 'training.jsonl',
  /** Of the domain's own texts, and of general ones: their losses stand in the curves. */
  heldOut: 'held-out.jsonl',
  general: 'general.jsonl',
  counts: 'counts.json',
}

export function corpusStage(recipe: Recipe, id: 'corpus' | 'foundation-corpus'): Stage {
  const isFoundation = id === 'foundation-corpus'
  const corpus = (isFoundation ? recipe.foundation?.corpus : undefined) ?? recipe.corpus
  const prefix = isFoundation ? 'foundation.corpus' : 'corpus'
  const printsPast = corpus.pastExam.answered !== undefined || corpus.pastExam.explained !== undefined
  return {
    id,
    kind: 'corpus',
    title: isFoundation ? 'Texts of the base' : 'Texts of continued pretraining',
    ...reads(
      readsFiles(Object.fromEntries(corpus.texts.map(({ path }, i) => [`${prefix}.texts.${i}.path`, path]))),
      readsTokenizer(recipe),
      corpus.overlapCharacters > 0 ? readsExam(recipe, 'preference', 'test') : {},
      printsPast ? reads(readsExam(recipe, 'past'), readsPrompts(recipe)) : {},
    ),
    settings: {
      [prefix]: { ...corpus, texts: corpus.texts.map(({ path: _, ...text }) => text) },
      ...(printsPast && promptSettings(recipe)),
      seed: recipe.seed,
    },
    async *run({ stage, folder, runFolder, signal }) {
      const exam = [
        ...(await loadQuestions(recipe, runFolder, 'preference')),
        ...(await loadQuestions(recipe, runFolder, 'test')),
      ]
      const sources = [
        ...(await textSources(corpus.texts, runFolder)),
        ...(await pastSources(recipe, corpus, runFolder)),
      ]
      const { heldOutShare, duplicates, overlapCharacters } = corpus
      const { seed } = recipe
      const workers = await openDocumentWorkers(
        tokenizerFolder(recipe, runFolder),
        { seed, heldOutShare, duplicates, overlapCharacters, exam },
        sources.reduce((sum, { size }) => sum + (size?.bytes ?? 0), 0),
        recipe.threads,
      )
      const work = prepareCorpus({
        sources,
        workers,
        examItems: overlapCharacters > 0 ? exam.length : 0,
        seed,
        files: {
          training: join(folder, files.training),
          heldOut: join(folder, files.heldOut),
          general: join(folder, files.general),
        },
        signal,
      })
      let counts: CorpusStatistics
      try {
        let step = await work.next()
        for (; !step.done; step = await work.next()) yield { type: 'stage-progress', stage: stage.id, ...step.value }
        counts = step.value
      } finally {
        await Promise.all(workers.map((worker) => worker.close()))
      }
      await writeJson(join(folder, files.counts), counts)
      const { sources: statistics } = counts
      await writeJson(join(folder, files.counts), counts)
      const total = (count: (one: SourceStatistics) => number) => statistics.reduce((sum, one) => sum + count(one), 0)
      if (total(({ trainingRows }) => trainingRows) === 0) {
        throw new UserError(
          `${prefix}: no document is left to train on. ${files.counts} in ${folder} says what was dropped.`,
        )
      }
      return {
        outputs: Object.values(files),
        summary: `${formatCount(total(({ trainingRows }) => trainingRows))} documents, ${formatCount(total(({ trainingTokens }) => trainingTokens))} tokens`,
        sources: statistics.map(({ name, trainingRows, trainingTokens }, i) => ({
          name,
          role: sources[i]?.role === 'general' ? 'general text' : 'domain text',
          licence: sources[i]?.licence,
          documents: trainingRows,
          tokens: trainingTokens,
        })),
      }
    },
  }
}

type CorpusSettings = Recipe['corpus']

function textSources(texts: CorpusSettings['texts'], runFolder: string): Promise<CorpusSource[]> {
  return Promise.all(
    texts.map(async ({ path, column, ...source }) => {
      const located = locatePath(path, runFolder)
      const meter = { bytes: 0 }
      const documents = readDocuments(located, column, meter)
      return { ...source, name: basename(path), documents, size: { bytes: await measureDocuments(located), meter } }
    }),
  )
}

/** The past exam, printed as questions with their answers in the examination's own form. */
async function pastSources(recipe: Recipe, { pastExam }: CorpusSettings, runFolder: string): Promise<CorpusSource[]> {
  const items = await loadQuestions(recipe, runFolder, 'past')
  const options = { ...(await promptOptions(recipe, runFolder)), shots: [] }
  const print = (way: Way, epochs: number | undefined): CorpusSource[] => {
    const printable = way === 'explain' ? items.filter(({ explanation }) => explanation) : items
    if (epochs === undefined || printable.length === 0) return []
    const name = `past exam, ${way === 'answer' ? 'answered' : 'explained'}`
    return [
      {
        name,
        role: 'domain',
        epochs,
        licence: recipe.exam.past?.licence,
        documents: printItems(printable, way, options),
      },
    ]
  }
  return [...print('answer', pastExam.answered), ...print('explain', pastExam.explained)]
}

async function* printItems(items: ExamItem[], way: Way, options: PromptOptions): AsyncGenerator<SourceDocument> {
  for (const item of items) {
    const { prompt, completion } = printAnswered(item, way, options)
    yield { id: `${item.id}/${way}`, text: prompt, completion }
  }
}

/** The dependency of a stage that trains on a corpus: its rows, not what was counted. */
export function readsCorpus(stage: string): { dependencies: Dependency[] } {
  return { dependencies: [files.training, files.heldOut, files.general].map((path) => ({ stage, path })) }
}

/** What was counted while a corpus was prepared. */
export async function loadCorpusCounts(folder: string): Promise<CorpusStatistics> {
  return (await readJson(join(folder, files.counts))) as CorpusStatistics
}

/** The files of a finished corpus; held-out sets that are empty are left out. The first one decides what is best. */
export async function corpusFiles(folder: string): Promise<{ training: string; evaluation: Record<string, string> }> {
  const sets = { 'held-out': join(folder, files.heldOut), general: join(folder, files.general) }
  const sizes = await Promise.all(Object.values(sets).map(async (file) => (await stat(file)).size))
  return {
    training: join(folder, files.training),
    evaluation: Object.fromEntries(Object.entries(sets).filter((_, i) => (sizes[i] ?? 0) > 0)),
  }
}

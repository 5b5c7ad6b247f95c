// The corpus: texts read, cleaned, rid of doubles and of overlap with the exam, tokenised; some held out.
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Recipe } from '../../recipe/recipe.ts'
import { reads, readsFiles, readsTokenizer } from '../models.ts'
import { promptSettings, readsPrompts } from '../prompts.ts'
import type { Stage } from '../stage.ts'
import { readsExam } from './exam.ts'

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
    async run() {
      throw new Error('not yet')
    },
  }
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

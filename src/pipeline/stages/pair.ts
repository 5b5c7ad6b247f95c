// Pairing: winners and losers of each question, experts' verdicts carried out, some questions held out.
import { join } from 'node:path'
import { UserError } from '../../base/errors.ts'
import { readJson, readJsonLines, writeJson } from '../../base/files.ts'
import { JsonLinesWriter } from '../../data/row-writer.ts'
import type { PairCounts } from '../../preference/pair-counts.ts'
import { holdOutQuestions, PairMaker, pairRow } from '../../preference/pairs.ts'
import type { PreferencePair } from '../../preference/records.ts'
import { compareVerdicts, type VerdictAgreement } from '../../preference/verdict-agreement.ts'
import { loadVerdicts, PairReview, type VerdictCounts } from '../../preference/verdicts.ts'
import type { Recipe } from '../../recipe/recipe.ts'
import { loadTokenizer } from '../../tokenizer/tokenizer.ts'
import { type ModelSource, reads, readsFiles, readsTokenizer, tokenizerFolder } from '../models.ts'
import { promptOptions, promptSettings, readsPrompts } from '../prompts.ts'
import { roundSuffix, type Stage } from '../stage.ts'
import { loadQuestions, readsExam } from './exam.ts'
import { readSampledQuestions, readsSamples } from './sample.ts'

export const pairFiles = {
  /** PreferencePair: what TRL and LLaMA-Factory load, all of them. */
  pairs: 'pairs.jsonl',
  /** PairRow: what is trained on, and what is only measured. */
  training: 'training.jsonl',
  heldOut: 'held-out.jsonl',
  counts: 'counts.json',
}

/** What became of a round's samples and pairs. */
export interface PairingCounts {
  pairs: PairCounts
  verdicts?: VerdictCounts
  /** The rule on explanations against the experts. */
  agreement?: VerdictAgreement
  training: number
  heldOut: number
}

export function pairStage(recipe: Recipe, sample: Stage, model: ModelSource, round: number): Stage {
  const { verdicts: verdictsFile, ...settings } = recipe.pair
  return {
    id: `pair-${model.name}${roundSuffix(round)}`,
    kind: 'pair',
    title: `Preference pairs of ${model.name}${recipe.prefer.rounds > 1 ? `, round ${round}` : ''}`,
    round,
    ...reads(
      readsSamples(sample),
      readsExam(recipe, 'preference'),
      readsPrompts(recipe),
      readsTokenizer(recipe),
      readsFiles({ 'pair.verdicts': verdictsFile }),
    ),
    settings: { pair: settings, ...promptSettings(recipe), ...(settings.heldOutShare > 0 && { seed: recipe.seed }) },
    async run({ folder, runFolder }) {
      const items = await loadQuestions(recipe, runFolder, 'preference')
      const tokenizer = await loadTokenizer(tokenizerFolder(recipe, runFolder))
      const prompts = await promptOptions(recipe, runFolder)
      const maker = new PairMaker(items, { ...settings, ...prompts, tokenizer, round })
      const verdicts = verdictsFile === undefined ? undefined : await loadVerdicts(verdictsFile)
      const review = verdicts && new PairReview(verdicts, { round, tokenizer, maxTokens: settings.maxTokens })
      const questions = items.map(({ id }) => id)
      const heldOut = holdOutQuestions(questions, settings.heldOutShare, recipe.seed)
      const judged: PreferencePair[] = []
      const written = { all: 0, training: 0, heldOut: 0 }
      const writers = await openWriters(folder)
      try {
        for await (const [question, samples] of readSampledQuestions(runFolder, sample)) {
          for (const made of maker.pair(question, samples)) {
            if (review?.has(made)) judged.push(made)
            const pair = review === undefined ? made : review.carryOut(made)
            if (pair === undefined) continue
            const part = heldOut.has(question) ? 'heldOut' : 'training'
            written.all++
            written[part]++
            await writers.pairs.write(pair)
            await writers[part].write(pairRow(pair))
          }
        }
        const made = maker.finish()
        const reviewed = review?.finish()
        if (written.training === 0) {
          throw new UserError(
            `no preference pairs to train on: of ${made.pairs}, the verdicts left ${written.all}, and ${written.heldOut} are held out. Look at pair.verdicts and pair.heldOutShare.`,
          )
        }
        for (const writer of Object.values(writers)) await writer.close()
        const counts: PairingCounts = {
          pairs: made,
          ...(reviewed && { verdicts: reviewed }),
          ...(verdicts && { agreement: compareVerdicts(judged, verdicts, items, prompts) }),
          training: written.training,
          heldOut: written.heldOut,
        }
        await writeJson(join(folder, pairFiles.counts), counts)
        return {
          outputs: Object.values(pairFiles),
          summary: `${written.training} pairs of ${made.questionsPaired} questions, ${written.heldOut} more held out`,
        }
      } finally {
        for (const writer of Object.values(writers)) await writer.discard()
      }
    },
  }
}

async function openWriters(folder: string): Promise<Record<'pairs' | 'training' | 'heldOut', JsonLinesWriter>> {
  return {
    pairs: await JsonLinesWriter.open(join(folder, pairFiles.pairs)),
    training: await JsonLinesWriter.open(join(folder, pairFiles.training)),
    heldOut: await JsonLinesWriter.open(join(folder, pairFiles.heldOut)),
  }
}

/** A pair stage's results, for the report: the first `most` pairs that are trained on, and what was counted. */
export async function loadPairs(
  runFolder: string,
  stage: string,
  most: number,
): Promise<{ pairs: PreferencePair[]; counts: PairingCounts }> {
  const folder = join(runFolder, stage)
  const counts = (await readJson(join(folder, pairFiles.counts))) as PairingCounts
  const pairs: PreferencePair[] = []
  const trained = new Set<string>()
  for await (const { value } of readJsonLines(join(folder, pairFiles.training))) {
    if (trained.add((value as PreferencePair).id).size === most) break
  }
  for await (const { value } of readJsonLines(join(folder, pairFiles.pairs))) {
    const pair = value as PreferencePair
    if (trained.has(pair.id) && pairs.push(pair) === trained.size) break
  }
  return { pairs, counts }
}

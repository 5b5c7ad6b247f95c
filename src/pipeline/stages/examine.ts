// Examining: one variant answers the test questions, every way, greedily; what is graded is kept if it is interrupted.
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { loadJsonLines, writeJsonLines } from '../../base/files.ts'
import type { RunEvent } from '../../base/progress.ts'
import { examine } from '../../exam/examination.ts'
import { summarise } from '../../exam/grades.ts'
import type { GradedAnswer, Way } from '../../exam/records.ts'
import { loadModelConfig } from '../../model/config.ts'
import type { Recipe, VariantName } from '../../recipe/recipe.ts'
import { openJournal } from '../../runs/journal.ts'
import type { SamplingSettings } from '../../sampler/sampler.ts'
import { loadTokenizer } from '../../tokenizer/tokenizer.ts'
import { locateModel, type ModelSource, reads, readsModels } from '../models.ts'
import { promptOptions, promptSettings, readsPrompts } from '../prompts.ts'
import { partialName } from '../sampling.ts'
import type { Stage } from '../stage.ts'
import { loadQuestions, readsExam } from './exam.ts'

const answersName = 'answers.jsonl'

export function examineStage(recipe: Recipe, variant: VariantName, model: ModelSource): Stage {
  const { ways, answerTokens, explainTokens, sequences } = recipe.examine
  return {
    id: `examine-${variant}`,
    kind: 'examine',
    title: `Examination of ${variant}`,
    ...reads(readsModels({ 'model.folder': model }), readsExam(recipe, 'test'), readsPrompts(recipe)),
    settings: { examine: { ways, answerTokens, explainTokens }, ...promptSettings(recipe) },
    async *run({ stage, folder, runFolder, tools, signal }) {
      const items = await loadQuestions(recipe, runFolder, 'test')
      const prompts = await promptOptions(recipe, runFolder)
      const reference = locateModel(model, runFolder)
      const tokenizer = await loadTokenizer(reference.folder)
      const { contextTokens } = await loadModelConfig(reference.folder)
      const journal = await openJournal<GradedAnswer>(join(folder, partialName))
      const graded = [...journal.records]
      const total = items.length * ways.length
      try {
        const sampler = await tools.openSampler(reference, { threads: recipe.threads, sequences })
        try {
          for (const way of ways) {
            const answered = new Set(graded.filter((answer) => answer.way === way).map(({ id }) => id))
            const left = items.filter(({ id }) => !answered.has(id))
            if (left.length === 0) continue
            const answers = examine(
              {
                ...prompts,
                sampler,
                items: left,
                ways: [way],
                settings: { answer: greedy(answerTokens), explain: greedy(explainTokens) },
                context: { tokens: contextTokens, encode: (text) => tokenizer.encode(text) },
              },
              signal,
            )
            for await (const answer of answers) {
              await journal.append(answer)
              graded.push(answer)
              yield progress(stage.id, graded.length, total, answer)
            }
          }
        } finally {
          await sampler.close()
        }
      } finally {
        await journal.close()
      }
      await writeJsonLines(join(folder, answersName), inOrder(graded, ways, items))
      await rm(join(folder, partialName), { force: true })
      return { outputs: [answersName], summary: describe(graded, ways) }
    },
  }
}

/** A variant's graded answers: way by way, in the order of the items. */
export function loadAnswers(runFolder: string, variant: VariantName): Promise<GradedAnswer[]> {
  return loadJsonLines(join(runFolder, `examine-${variant}`, answersName))
}

function greedy(maxTokens: number): SamplingSettings {
  return { maxTokens, temperature: 0, topP: 1, topK: 0, stopTokens: [], stopStrings: [], seed: 0 }
}

function inOrder(
  graded: readonly GradedAnswer[],
  ways: readonly Way[],
  items: readonly { id: string }[],
): GradedAnswer[] {
  const byKey = new Map(graded.map((answer) => [`${answer.way} ${answer.id}`, answer]))
  return ways.flatMap((way) => items.flatMap(({ id }) => byKey.get(`${way} ${id}`) ?? []))
}

function progress(stage: string, done: number, total: number, { output }: GradedAnswer): RunEvent {
  return { type: 'stage-progress', stage, done, total, unit: 'answers', sample: output }
}

function describe(graded: readonly GradedAnswer[], ways: readonly Way[]): string {
  const summary = summarise(graded)
  return ways.map((way) => `${way} ${summary[way]?.correct ?? 0}/${summary[way]?.items ?? 0}`).join(', ')
}

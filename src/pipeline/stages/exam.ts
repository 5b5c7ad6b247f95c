// The exam stages: questions of one purpose, loaded, checked and chosen.
import { join } from 'node:path'
import { loadJsonLines, writeJsonLines } from '../../base/files.ts'
import { descriptionFile } from '../../exam/description.ts'
import { loadExam, selectItems } from '../../exam/exam.ts'
import type { ExamItem } from '../../exam/records.ts'
import type { Recipe } from '../../recipe/recipe.ts'
import { locatePath, readsFiles } from '../models.ts'
import type { Stage } from '../stage.ts'

export type ExamPart = 'past' | 'preference' | 'test' | 'shots'

const titles: Record<ExamPart, string> = {
  past: 'Past exam',
  preference: 'Questions for preference pairs',
  test: 'Test questions',
  shots: 'Worked examples',
}

const itemsName = 'items.jsonl'

export function examStage(recipe: Recipe, part: ExamPart): Stage {
  const source = recipe.exam[part] ?? { path: '', textOnly: false }
  const { path, description, licence, ...settings } = source
  return {
    id: `exam-${part}`,
    kind: 'exam',
    title: titles[part],
    ...readsFiles({
      [`exam.${part}.path`]: path,
      [`exam.${part}.description`]: description === undefined ? undefined : descriptionFile(description),
    }),
    settings: { [part]: settings, ...(settings.items !== undefined && { seed: recipe.seed }) },
    async run({ folder, runFolder }) {
      const all = await loadExam({ ...settings, description, path: locatePath(path, runFolder) })
      const items = selectItems(all, settings.items, recipe.seed)
      await writeJsonLines(join(folder, itemsName), items)
      const chosen = items.length < all.length ? ` of ${all.length}` : ''
      return {
        outputs: [itemsName],
        summary: `${items.length}${chosen} questions`,
        sources: [{ name: `exam.${part}`, role: 'exam', licence, documents: items.length }],
      }
    },
  }
}

/** The dependency of a stage that reads these questions. */
export function readsExam(recipe: Recipe, ...parts: ExamPart[]): { dependencies: { stage: string; path: string }[] } {
  return {
    dependencies: parts
      .filter((part) => recipe.exam[part] !== undefined)
      .map((part) => ({ stage: `exam-${part}`, path: itemsName })),
  }
}

/** The questions of one purpose, as their stage left them; none where the recipe has none. */
export async function loadQuestions(recipe: Recipe, runFolder: string, part: ExamPart): Promise<ExamItem[]> {
  return recipe.exam[part] === undefined ? [] : loadJsonLines<ExamItem>(join(runFolder, `exam-${part}`, itemsName))
}

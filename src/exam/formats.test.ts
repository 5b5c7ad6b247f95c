// The examples of docs/formats.md load as they stand.
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { loadDescription } from './description.ts'
import { loadExam } from './exam.ts'
import { defaultTemplate } from './template.ts'
import { loadTemplate } from './template-file.ts'

const folder = await mkdtemp(join(tmpdir(), 'meikai-formats-'))
afterAll(() => rm(folder, { recursive: true }))

async function example(heading: string): Promise<string> {
  const document = await readFile(join(import.meta.dirname, '../../docs/formats.md'), 'utf8')
  const section = document.split(/^## /m).find((text) => text.startsWith(heading))
  const path = join(folder, 'example')
  await writeFile(path, /```\w+\n([^`]*)```/.exec(section!)![1]!)
  return path
}

test('exam items', async () => {
  const items = await loadExam({ path: await example('Exam items') })
  expect(items.map(({ id }) => id)).toEqual(['q1', 'q2', 'q3'])
})

test('a description', async () => {
  const file = `${await example('Exam description')}.yaml`
  await rename(file.slice(0, -'.yaml'.length), file)
  expect((await loadDescription(file)).description).toMatchObject({ name: 'mine', goldForm: 'letter' })
})

test('the template of letters, whole', async () => {
  const path = await example('Prompt template')
  expect(await loadTemplate(path, 'letter')).toEqual(defaultTemplate('letter'))
  for (const key of Object.keys(defaultTemplate('letter'))) expect(await readFile(path, 'utf8')).toContain(`${key}: `)
})

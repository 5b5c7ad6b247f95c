// The recipe's reference and its commented example, both written from the schema.
import type { z } from 'zod'
import { unwrap } from '../base/document.ts'
import { recipeSchema } from './recipe.ts'
import { metaOf, type SettingMeta } from './setting.ts'

interface Described {
  /** Dotted, lists as 'key[]'. */
  key: string
  depth: number
  help: string
  type: string
  unit?: string
  required: boolean
  default?: unknown
  example?: unknown
  isSection: boolean
}

/** docs/recipe.md: every setting with its type, default and meaning. */
export function writeReference(): string {
  const settings = describeSettings(recipeSchema)
  const lines = [
    '# The recipe',
    '',
    'Every setting of a recipe, written from the schema in src/recipe by `npx vitest run src/recipe -u`.',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: what a recipe writes
    'Paths are relative to the recipe file; `${NAME}` and `${NAME:-default}` in them come from the environment.',
    'Any setting can be overridden on the command line: `--set prefer.beta=0.2`.',
  ]
  const row = (setting: Described) => {
    const byDefault = setting.required ? 'required' : setting.default === undefined ? '' : code(setting.default)
    const type = setting.unit === undefined ? setting.type : `${setting.type}, ${setting.unit}`
    return `| \`${setting.key}\` | ${escapeBars(type)} | ${escapeBars(byDefault)} | ${escapeBars(setting.help)} |`
  }
  const table = (rows: Described[]) => [
    '',
    '| setting | type | default | meaning |',
    '|---|---|---|---|',
    ...rows.map(row),
  ]
  const top = settings.filter((setting) => setting.depth === 0 && !setting.isSection)
  lines.push(...table(top))
  for (const section of settings.filter((setting) => setting.depth === 0 && setting.isSection)) {
    const inside = settings.filter((setting) => setting.key.startsWith(`${section.key}.`) && !setting.isSection)
    lines.push(
      '',
      `## ${section.key}`,
      '',
      `${section.help}${section.required ? '' : ' May be left out.'}`,
      ...table(inside),
    )
  }
  return `${lines.join('\n')}\n`
}

/** A recipe to start from: what must be said is there to fill in, everything else stands as a comment with its default. */
export function writeExample(): string {
  const lines = [
    '# A meikai recipe. Fill in the paths, then: npx meikai doctor recipe.yaml && npx meikai run recipe.yaml',
    '# What stands behind # is the default. All settings: docs/recipe.md.',
  ]
  const shown = new Set(['corpus', 'exam.preference'])
  const write = (schema: z.ZodType, path: string, depth: number) => {
    for (const [key, child] of Object.entries(shapeOf(schema))) {
      const full = path === '' ? key : `${path}.${key}`
      if (full === 'foundation' || full === 'miniature') continue
      const setting = describe(full, child, depth)
      const needed = setting.required || shown.has(full)
      const indent = '  '.repeat(depth)
      if (setting.isSection) {
        const list = unwrap(child)?.def.type === 'array'
        if (depth === 0) lines.push('')
        if (!needed && depth > 0 && !(list && shown.has(path))) continue
        lines.push(`${indent}# ${setting.help}`, `${indent}${key}:`)
        if (list) writeEntry(elementOf(child), full, depth + 1)
        else write(unwrap(child) as z.ZodType, full, depth + 1)
        continue
      }
      const value = inline(setting.example ?? setting.default ?? '')
      const unit = setting.unit === undefined ? '' : ` (${setting.unit})`
      lines.push(`${indent}${needed ? '' : '# '}${key}: ${value}${value === '' ? '' : '  '}# ${setting.help}${unit}`)
    }
  }
  const writeEntry = (schema: z.ZodType, path: string, depth: number) => {
    const from = lines.length
    write(schema, path, depth + 1)
    lines[from] = (lines[from] as string).replace(/^(\s*) {2}/, '$1- ')
  }
  write(recipeSchema, '', 0)
  return `${lines.join('\n')}\n`
}

function describeSettings(schema: z.ZodType, path = '', depth = 0): Described[] {
  return Object.entries(shapeOf(schema)).flatMap(([key, child]) => {
    const full = path === '' ? key : `${path}.${key}`
    const setting = describe(full, child, depth)
    if (!setting.isSection) return [setting]
    const list = unwrap(child)?.def.type === 'array'
    const inside = list ? elementOf(child) : (unwrap(child) as z.ZodType)
    return [setting, ...describeSettings(inside, list ? `${full}[]` : full, depth + 1)]
  })
}

function describe(key: string, schema: z.ZodType, depth: number): Described {
  const inner = unwrap(schema) as z.ZodType
  const meta = { ...metaOf(inner), ...metaOf(schema) }
  const optional = schema.safeParse(undefined)
  return {
    key,
    depth,
    help: meta.description ?? '',
    type: typeName(inner, meta.path),
    unit: meta.unit,
    required: !optional.success,
    default: optional.success ? optional.data : undefined,
    example: meta.example,
    isSection: Object.keys(shapeOf(inner.def.type === 'array' ? elementOf(inner) : inner)).length > 0,
  }
}

function typeName(schema: z.ZodType, path?: SettingMeta['path']): string {
  const { def } = schema as unknown as { def: { type: string; entries?: Record<string, string>; format?: string } }
  if (path !== undefined) return path === 'yaml' ? 'name or path' : 'path'
  if (def.type === 'enum') return Object.keys(def.entries ?? {}).join(' \\| ')
  if (def.type === 'array') return `list of ${typeName(unwrap(elementOf(schema)) as z.ZodType)}`
  const bounds = schema as unknown as { isInt?: boolean; minValue?: number | null; maxValue?: number | null }
  if (def.type !== 'number') return { string: 'text', boolean: 'true or false' }[def.type] ?? def.type
  const name = bounds.isInt === true ? 'whole number' : 'number'
  const low =
    Number.isFinite(bounds.minValue) && (bounds.minValue as number) > Number.MIN_SAFE_INTEGER
      ? bounds.minValue
      : undefined
  const high =
    Number.isFinite(bounds.maxValue) && (bounds.maxValue as number) < Number.MAX_SAFE_INTEGER
      ? bounds.maxValue
      : undefined
  if (low != null && high != null) return `${name}, ${low} to ${high}`
  return low === 0 && bounds.isInt !== true && !schema.safeParse(0).success
    ? `${name} above 0`
    : low == null
      ? name
      : `${name} from ${low}`
}

function shapeOf(schema: z.ZodType): Record<string, z.ZodType> {
  return (unwrap(schema) as unknown as { shape?: Record<string, z.ZodType> }).shape ?? {}
}

function elementOf(schema: z.ZodType): z.ZodType {
  return (unwrap(schema) as unknown as { element: z.ZodType }).element
}

/** A value as YAML on one line: words stand bare, other texts in quotes. */
function inline(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(inline).join(', ')}]`
  return typeof value === 'string' && /^[\w./*+-]*$/.test(value) ? value : JSON.stringify(value)
}

function code(value: unknown): string {
  return `\`${inline(value)}\``
}

function escapeBars(text: string): string {
  return text.replace(/(?<!\\)\|/g, '\\|')
}

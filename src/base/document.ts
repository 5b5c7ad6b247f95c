// YAML and JSON documents read against a zod schema: every error names file, line and key.
import { isNode, LineCounter, parse, parseDocument, type Document as YamlDocument } from 'yaml'
import type { z } from 'zod'
import { messageOf, UserError } from './errors.ts'
import { readText } from './files.ts'
import { nearest } from './nearest.ts'

export type KeyPath = readonly (string | number)[]

/** A document that fits its schema. */
export interface ReadDocument<T> {
  value: T
  /** Where a key stands, as 'file:line' (or '--set' for an overridden one); the nearest parent where the key is absent. */
  locate(path: KeyPath): string
}

/**
 * Reads a YAML (or JSON) file against a schema. A key without a value counts as left out.
 * @param overrides assignments 'a.b=value' that take precedence over the file; the value is read as YAML.
 * @throws UserError listing everything that does not fit, each with file, line, key and, for an unknown key, the near one.
 */
export async function readDocument<S extends z.ZodType>(
  file: string,
  schema: S,
  overrides: readonly string[] = [],
): Promise<ReadDocument<z.output<S>>> {
  const lines = new LineCounter()
  const document = parseDocument(await readText(file), { lineCounter: lines, prettyErrors: false, merge: true })
  const [syntax] = document.errors
  if (syntax !== undefined) {
    throw new UserError(`${file}:${lines.linePos(syntax.pos[0]).line}: not valid YAML (${syntax.message}).`)
  }
  const overridden = overrides.map((assignment) => override(document, assignment))
  const locate = (path: KeyPath): string => {
    if (overridden.some((set) => set.every((key, i) => String(path[i]) === String(key)))) return '--set'
    for (let length = path.length; length > 0; length--) {
      const line = lineOf(document, path.slice(0, length), lines)
      if (line !== undefined) return `${file}:${line}`
    }
    return file
  }
  const result = schema.safeParse(dropEmpty(plainValue(document, file)) ?? {}, { reportInput: true })
  if (result.success) return { value: result.data, locate }
  throw new UserError(result.error.issues.flatMap((issue) => describe(issue, schema, locate)).join('\n'))
}

/** The document's value. Aliases may name an anchor that is not there, or blow a few lines up to gigabytes, which the library refuses. */
function plainValue(document: YamlDocument, file: string): unknown {
  try {
    return document.toJS()
  } catch (error) {
    throw new UserError(`${file}: not valid YAML (${messageOf(error)}).`, { cause: error })
  }
}

function override(document: YamlDocument, assignment: string): (string | number)[] {
  const equals = assignment.indexOf('=')
  if (equals < 1) throw new UserError(`--set ${assignment}: write it as key.key=value.`, { status: 2 })
  const path = assignment
    .slice(0, equals)
    .split('.')
    .map((key) => (/^\d+$/.test(key) ? Number(key) : key))
  try {
    document.setIn(path, document.createNode(parse(assignment.slice(equals + 1))))
  } catch (error) {
    throw new UserError(`--set ${assignment}: cannot be set (${messageOf(error)}).`, { status: 2, cause: error })
  }
  return path
}

function dropEmpty(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(dropEmpty)
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, item]) => (item === null ? [] : [[key, dropEmpty(item)]])),
  )
}

function lineOf(document: YamlDocument, path: KeyPath, lines: LineCounter): number | undefined {
  const node = document.getIn(path, true)
  const key = path.at(-1)
  const parent = document.getIn(path.slice(0, -1), true)
  if (typeof key === 'string' && parent !== null && typeof parent === 'object' && 'items' in parent) {
    for (const pair of parent.items as { key?: unknown }[]) {
      if (isNode(pair.key) && 'value' in pair.key && pair.key.value === key && pair.key.range) {
        return lines.linePos(pair.key.range[0]).line
      }
    }
  }
  return isNode(node) && node.range ? lines.linePos(node.range[0]).line : undefined
}

function describe(issue: z.core.$ZodIssue, schema: z.ZodType, locate: (path: KeyPath) => string): string[] {
  const path = issue.path as (string | number)[]
  const say = (at: KeyPath, text: string) => `${locate(at)}: ${at.length === 0 ? '' : `${at.join('.')}: `}${text}`
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => {
        const known = keysAt(schema, path)
        const near = nearest(key, known)
        const hint = near === undefined ? `Known here: ${known.join(', ')}.` : `Did you mean ${near}?`
        return say([...path, key], `no such setting. ${hint}`)
      })
    case 'invalid_type':
      return issue.input === undefined
        ? [say(path, `is missing (${article(issue.expected)}).`)]
        : [say(path, `must be ${article(issue.expected)}, not ${show(issue.input)}.`)]
    case 'invalid_value': {
      const near = nearest(String(issue.input), issue.values.map(String))
      const hint = near === undefined ? '' : ` Did you mean ${near}?`
      return [say(path, `must be one of ${issue.values.join(', ')}, not ${show(issue.input)}.${hint}`)]
    }
    case 'too_small':
      return [say(path, bound(issue.origin, issue.inclusive ? 'at least' : 'more than', issue.minimum, issue.input))]
    case 'too_big':
      return [say(path, bound(issue.origin, issue.inclusive ? 'at most' : 'less than', issue.maximum, issue.input))]
    default:
      return [say(path, issue.message)]
  }
}

function bound(origin: string, relation: string, limit: number | bigint, input: unknown): string {
  if (origin === 'array') return `must have ${relation} ${limit} entries.`
  if (origin === 'string') return 'must not be empty.'
  return `must be ${relation} ${limit}, not ${show(input)}.`
}

function article(type: string): string {
  const name = { int: 'whole number', record: 'map of keys', object: 'map of keys', array: 'list' }[type] ?? type
  return `a ${name}`
}

function show(input: unknown): string {
  if (typeof input === 'number') return String(input)
  return input === undefined ? 'nothing' : JSON.stringify(input)
}

/** The keys that a schema knows at a path. */
function keysAt(schema: z.ZodType, path: KeyPath): string[] {
  const shape = (unwrap(path.reduce<z.ZodType | undefined>(child, schema)) as { shape?: object } | undefined)?.shape
  return Object.keys(shape ?? {})
}

function child(schema: z.ZodType | undefined, key: string | number): z.ZodType | undefined {
  const inner = unwrap(schema) as { shape?: Record<string, z.ZodType>; element?: z.ZodType } | undefined
  return typeof key === 'number' ? inner?.element : inner?.shape?.[key]
}

/** The schema inside optional, default and similar wrappers, and behind what turns a short form into the long one. */
export function unwrap(schema: z.ZodType | undefined): z.ZodType | undefined {
  let inner = schema
  for (;;) {
    if (inner !== undefined && 'innerType' in inner.def) inner = inner.def.innerType as z.ZodType
    else if (inner?.def.type === 'pipe') inner = (inner.def as unknown as { out: z.ZodType }).out
    else return inner
  }
}

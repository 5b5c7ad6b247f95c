// Paths in a recipe: environment variables, the recipe's own folder, the miniature's files, models of the hub.
import { isAbsolute, resolve } from 'node:path'
import type { z } from 'zod'
import { type KeyPath, unwrap } from '../base/document.ts'
import { UserError } from '../base/errors.ts'
import { metaOf } from './setting.ts'

/** The prefix of a path into the generated world. */
export const miniaturePrefix = 'miniature:'

/** The prefix of a model of the Hugging Face hub in place of a folder. */
export const hubPrefix = 'hub:'

/** 'hub:Qwen/Qwen2.5-0.5B@main' as name and revision ('main' when left out); undefined for anything else. */
export function readHubModel(path: string): { name: string; revision: string } | undefined {
  const match = /^hub:([\w.-]+\/[\w.-]+?)(?:@([\w.-]+(?:\/[\w.-]+)*))?$/.exec(path)
  if (match === null || path.includes('..')) return undefined
  return { name: match[1] as string, revision: match[2] ?? 'main' }
}

export interface PathContext {
  /** What relative paths are relative to. */
  folder: string
  environment: Record<string, string | undefined>
  locate(path: KeyPath): string
}

/** Makes every path setting of a value absolute, in place. */
export function resolvePaths(schema: z.ZodType, value: unknown, context: PathContext): void {
  visitSettings(schema, value, (path, at, replace) => replace(resolvePath(path, at, context)))
}

/** Calls for every path setting that is there: its text, its key path, and how to replace it. */
export function visitSettings(
  schema: z.ZodType,
  value: unknown,
  onPath: (path: string, at: KeyPath, replace: (path: string) => void) => void,
  at: KeyPath = [],
): void {
  const inner = unwrap(schema) as z.ZodType & { shape?: Record<string, z.ZodType>; element?: z.ZodType }
  if (value === null || typeof value !== 'object') return
  const entries = Array.isArray(value)
    ? value.map((item, i) => [i, item, inner.element] as const)
    : Object.entries(value).map(([key, item]) => [key, item, inner.shape?.[key]] as const)
  for (const [key, item, itemSchema] of entries) {
    if (itemSchema === undefined) continue
    if (typeof item === 'string' && isPath(itemSchema, item)) {
      onPath(item, [...at, key], (path) => {
        ;(value as Record<string | number, unknown>)[key] = path
      })
    } else {
      visitSettings(itemSchema, item, onPath, [...at, key])
    }
  }
}

function isPath(schema: z.ZodType, text: string): boolean {
  const kind = metaOf(schema).path ?? metaOf(unwrap(schema) as z.ZodType).path
  return kind === true || (kind === 'yaml' && /\.ya?ml$/i.test(text))
}

function resolvePath(path: string, at: KeyPath, context: PathContext): string {
  const filled = path.replace(/\$\{([^}:]+)(?::-([^}]*))?\}/g, (_, name: string, fallback: string | undefined) => {
    const value = context.environment[name] || fallback
    if (value === undefined) {
      throw new UserError(
        `${context.locate(at)}: ${at.join('.')}: the environment variable ${name} is not set. Set it, or write \${${name}:-default}.`,
      )
    }
    return value
  })
  if (filled.startsWith(hubPrefix) || filled.startsWith(miniaturePrefix) || isAbsolute(filled)) return filled
  return resolve(context.folder, filled)
}

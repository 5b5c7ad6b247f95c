// The kinds of settings: each is a zod schema that carries its default, unit and help text, written nowhere else.
import { z } from 'zod'

/** What the schema's metadata holds besides the description. */
export interface SettingMeta {
  description: string
  unit?: string
  /**
   * A file, folder or glob: relative to the recipe's folder, `${NAME}` and `${NAME:-default}` from the environment.
   * 'yaml': what ends in .yaml is one, anything else a name.
   */
  path?: true | 'yaml'
  /** What an example recipe writes where there is no default. */
  example?: unknown
}

/** Attaches help, unit and the like to a schema. */
export function setting<S extends z.ZodType>(
  schema: S,
  description: string,
  more: Omit<SettingMeta, 'description'> = {},
): S {
  return schema.meta({ description, ...more })
}

/** A path setting. */
export function path(description: string, example?: string) {
  return setting(z.string().min(1), description, { path: true, example })
}

export const count = () => z.int().min(1)
export const countOrZero = () => z.int().min(0)
export const positive = () => z.number().positive()
export const share = () => z.number().min(0).max(1)

/** The metadata of a schema (that of its own, outermost layer). */
export function metaOf(schema: z.ZodType): Partial<SettingMeta> {
  return (schema.meta() ?? {}) as Partial<SettingMeta>
}

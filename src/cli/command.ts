// A command as typed data: citty's definition with examples beside it.
import type { ArgsDef, CommandContext, CommandDef } from 'citty'

export interface Example {
  /** What is typed. */
  line: string
  /** What it does. */
  purpose: string
}

export interface Command<Arguments extends ArgsDef = ArgsDef> extends CommandDef<Arguments> {
  meta: { name: string; description: string }
  args: Arguments
  examples: readonly [Example, ...Example[]]
  /** Does it. Heavy imports belong in here. Returns the exit status. */
  run(context: CommandContext<Arguments>): Promise<number>
}

/** Keeps the arguments' types. */
export function defineCommand<const Arguments extends ArgsDef>(command: Command<Arguments>): Command<Arguments> {
  return command
}

/** The option that every command has. */
export const jsonOption = {
  json: { type: 'boolean', description: 'Print JSON, for programs' },
} as const satisfies ArgsDef

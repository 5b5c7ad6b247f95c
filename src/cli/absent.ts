// Nothing that is there already is written over.
import { lstat } from 'node:fs/promises'
import { hasCode, UserError } from '../base/errors.ts'

/** @throws UserError where something is there already. */
export async function requireAbsent(path: string): Promise<void> {
  try {
    await lstat(path)
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return
    throw error
  }
  throw new UserError(`${path}: is there already. Give another name, or remove it first.`)
}

// Errors: what a user can mend (UserError) and what only we can (internal).

/**
 * A failure that the user can mend. The message says what is wrong, where (file, line or key) and what to do.
 * `status` is the process's exit status: 1 it failed, 2 wrong use.
 */
export class UserError extends Error {
  override readonly name = 'UserError'
  readonly status: 1 | 2

  constructor(message: string, options: { cause?: unknown; status?: 1 | 2 } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.status = options.status ?? 1
  }
}

/** Stops at a state that our own code should have made impossible; shown with its stack. */
export function internal(message: string): never {
  throw new Error(`internal: ${message}`)
}

/** The message of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** Whether the operating system refused something: a path, a full disk, a program that is not there. The user can mend that. */
export function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error
}

/** Whether a thrown value is a file-system error with this code (ENOENT, ENOSPC, ...). */
export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && (error as NodeJS.ErrnoException).code === code
}

// The port where a job's processes meet.
import { createHash } from 'node:crypto'
import { createServer } from 'node:net'
import { internal, messageOf, UserError } from '../../base/errors.ts'

/** On other machines: below those that systems give out by themselves. */
export const nodePorts = { first: 20_000, last: 29_999 }

/** A port that is free on this machine just now. */
export function findPort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', (error) => reject(new UserError(`127.0.0.1 has no free port: ${messageOf(error)}.`)))
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      if (typeof address !== 'object' || address === null) internal('a server without a port')
      server.close(() => resolve(address.port))
    })
  })
}

/** On another machine's free ports nothing is known: one of many, another for each attempt. */
export function derivePort(attempt: string): number {
  const count = nodePorts.last - nodePorts.first + 1
  return nodePorts.first + (createHash('sha256').update(attempt).digest().readUInt32BE() % count)
}

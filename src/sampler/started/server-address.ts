// Where a server is reached, once its script has told it and it answers.
import { readFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { UserError } from '../../base/errors.ts'
import { readNote } from './server-record.ts'
import { serverFiles } from './server-script.ts'
import type { StartSettings } from './start-settings.ts'

export interface ServerAddress {
  /** Up to and including the version. */
  url: string
  /** What calls must carry. */
  key: string | undefined
}

const healthMilliseconds = 5000

/**
 * @param place the start's folder.
 * @returns undefined while it does not answer.
 */
export async function reachServer(
  place: string,
  { listen }: Pick<StartSettings, 'listen'>,
): Promise<ServerAddress | undefined> {
  const address = await readNote<{ host: string; port: number }>(join(place, serverFiles.address))
  if (address === undefined) return undefined
  const isLocal = listen === 'loopback'
  if (isLocal && address.host !== hostname()) {
    throw new UserError(
      `the server runs on ${address.host} and listens to that machine alone, this is ${hostname()}. Set sampler.start.listen: network (calls then carry a key), or run meikai there.`,
    )
  }
  const url = `http://${isLocal ? '127.0.0.1' : address.host}:${address.port}`
  if (!(await isHealthy(`${url}/health`))) return undefined
  return { url: `${url}/v1`, key: isLocal ? undefined : await readFile(join(place, serverFiles.key), 'utf8') }
}

function isHealthy(url: string): Promise<boolean> {
  return fetch(url, { signal: AbortSignal.timeout(healthMilliseconds) }).then(
    ({ ok }) => ok,
    () => false,
  )
}

// Adapters by name: vLLM loads a PEFT adapter folder while it serves, and answers under the adapter's name.

import { join } from 'node:path'
import { UserError } from '../../base/errors.ts'
import { hashFile } from '../../base/files.ts'
import { Connection } from './connection.ts'
import { CallRefused } from './failure.ts'
import type { ServerSettings } from './server.ts'

/**
 * Loads an adapter on every endpoint; one that is there already stays.
 * @param adapter a PEFT folder at a path that the endpoints see too.
 * @returns the name that it is served under: made from its weights, so that another adapter never answers in its place.
 * @throws UserError where an endpoint cannot load it.
 */
export async function loadServedAdapter(
  adapter: string,
  { endpoints, timeoutSeconds }: Pick<ServerSettings, 'endpoints' | 'timeoutSeconds'>,
  environment: Record<string, string | undefined> = process.env,
): Promise<string> {
  const hash = await hashFile(join(adapter, 'adapter_model.safetensors'))
  const name = `meikai-${hash.slice(0, 16)}`
  await Promise.all(
    endpoints.map(async (endpoint) => {
      const connection = new Connection({ ...endpoint, timeoutSeconds }, environment)
      try {
        await connection.send(
          'load_lora_adapter',
          { lora_name: name, lora_path: adapter },
          new AbortController().signal,
        )
      } catch (error) {
        if (error instanceof CallRefused && /already been loaded|already loaded/i.test(error.message)) return
        const reason = error instanceof Error ? error.message : String(error)
        throw new UserError(
          `${connection.host} does not load the adapter ${adapter} (${reason}). Start vLLM with --enable-lora, a --max-lora-rank that is enough, and VLLM_ALLOW_RUNTIME_LORA_UPDATING=True; or set sampler.adapters to false and serve the merged model.`,
        )
      } finally {
        await connection.close()
      }
    }),
  )
  return name
}

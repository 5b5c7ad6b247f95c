// A sampler on a server of its own: where the server goes in the middle of the work it is started again, and nothing is lost or doubled.
import type { Sampler } from '../sampler.ts'
import type { RunningServer } from './server-keeper.ts'

export interface StartedOptions {
  /** The server, started or started again. */
  start(): Promise<RunningServer>
  /** A sampler on it. */
  open(server: RunningServer): Promise<Sampler>
  /** How often it is started again without a completion in between. */
  retries: number
}

export async function openStartedSampler({ start, open, retries }: StartedOptions): Promise<Sampler> {
  let server = await start()
  let inner = await open(server)
  const { capabilities, hosts } = inner

  /** Another server in place of one that went; calls that saw the same one go share it. */
  let renewing: Promise<void> | undefined
  function renew(lost: RunningServer): Promise<void> {
    if (server !== lost) return Promise.resolve()
    renewing ??= (async () => {
      await inner.close()
      server = await start()
      inner = await open(server)
    })().finally(() => {
      renewing = undefined
    })
    return renewing
  }

  return {
    capabilities,
    hosts,
    async *sample(requests, settings, signal) {
      const written = new Map(requests.map(({ id, written: before = [] }) => [id, [...before]]))
      let failures = 0
      for (;;) {
        const used = server
        const missing = requests.map((request) => ({ ...request, written: written.get(request.id) ?? [] }))
        try {
          for await (const completion of inner.sample(missing, settings, AbortSignal.any([signal, used.gone]))) {
            written.get(completion.id)?.push(completion.sample)
            failures = 0
            yield completion
          }
          return
        } catch (error) {
          if (signal.aborted || !(await used.isGone())) throw error
          const failure = await used.explain()
          if (!failure.retry || ++failures > retries) throw failure
          await renew(used)
        }
      }
    },
    estimate: (requests, settings) => inner.estimate(requests, settings),
    close: () => inner.close(),
  }
}

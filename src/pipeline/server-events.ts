// What a run's own server does while a stage waits for it: told among the stage's events, and kept in the server's folder.
import { join } from 'node:path'
import type { RunEvent, ServerEvent } from '../base/progress.ts'
import { openJournal } from '../runs/journal.ts'
import { serverFolder } from '../sampler/started/server-record.ts'
import type { StageWork } from './stage.ts'

/** Below the server's folder, over all starts: when it was started, answered and went, and for which stage. */
export const serverEventsName = 'events.jsonl'

export type KeptServerEvent = ServerEvent & { time: string; stage: string }

export function besideServer<Result>(
  work: AsyncGenerator<RunEvent, Result>,
  { tools, stage, runFolder }: Pick<StageWork, 'tools' | 'stage' | 'runFolder'>,
): AsyncGenerator<RunEvent, Result> {
  if (tools.serverEvents === undefined) return work
  return tools.serverEvents.beside(work, async (event) => {
    // How long it took stands in what follows the looks.
    if (event.type !== 'server-wait') await keep(event)
    if (event.type === 'server-lost') {
      return { type: 'warning', stage: stage.id, message: `${event.cause}. It is started again.` }
    }
    return { type: 'server', stage: stage.id, event }
  })

  async function keep(event: ServerEvent): Promise<void> {
    const journal = await openJournal<KeptServerEvent>(join(runFolder, serverFolder, serverEventsName))
    try {
      await journal.append({ time: new Date().toISOString(), stage: stage.id, ...event })
    } finally {
      await journal.close()
    }
  }
}

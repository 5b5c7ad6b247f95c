// What servers are started on and watched by; tests put a cluster in simulated time in its place.
import { type Clock, realClock } from '../../base/clock.ts'
import { type JobHandle, type Launcher, launchers } from '../../engine/cluster/launcher.ts'

export interface ServerSurroundings {
  launchers: Record<JobHandle['place'], Launcher>
  clock: Clock
  /** Between two looks at a server, ms. */
  look: Record<JobHandle['place'], number>
  /** The server ends by itself where meikai gives no sign of life for so long: seconds. */
  leaseSeconds: number
}

export const realSurroundings: ServerSurroundings = {
  launchers,
  clock: realClock,
  look: { here: 1000, slurm: 5000 },
  leaseSeconds: 120,
}

// Settings of a job on this machine's processors, for tests of what is written for it.
import type { ClusterSettings } from './settings.ts'

export const plainSettings: ClusterSettings = {
  place: 'here',
  environment: '/environment',
  nodes: 1,
  processes: 1,
  device: 'cpu',
  precision: 'float32',
  sharding: 'none',
  fourBit: false,
  recomputation: false,
  flashAttention: false,
  retries: 0,
  warningSeconds: 0,
  setup: [],
}

// What a manifest says at the least, for tests of stages that are done.
import type { writeManifest } from './manifest.ts'

export const plainManifest = {
  settings: {},
  inputs: {},
  dependencies: {},
  outputs: [],
  seed: 0,
  threads: 1,
  versions: {},
  sources: [],
  summary: '',
  seconds: 1,
} satisfies Partial<Parameters<typeof writeManifest>[1]>

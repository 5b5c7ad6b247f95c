// Test settings of test/peers, which `npm run test:peers` runs: one file at a time, as both sides compute on all cores.
import { join } from 'node:path'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  root: join(import.meta.dirname, '..', '..'),
  test: {
    name: 'peers',
    include: ['test/peers/**/*.test.ts'],
    pool: 'forks', // onnxruntime-node aborts under vmThreads
    maxWorkers: 1,
    testTimeout: 600_000,
    globalSetup: 'test/temporary-folder.ts',
    hookTimeout: 600_000,
  },
})

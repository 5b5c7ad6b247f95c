// Test settings of test/cluster, which `npm run test:cluster` and `npm run test:slurm` run: one after another, real processes.
import { join } from 'node:path'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  root: join(import.meta.dirname, '..', '..'),
  test: {
    name: 'cluster',
    include: ['test/cluster/**/*.test.ts'],
    pool: 'forks', // onnxruntime-node aborts under vmThreads
    maxWorkers: 1,
    testTimeout: 1_800_000, // against hanging alone: other work on the machine makes trainings many times as long
    globalSetup: 'test/temporary-folder.ts',
    hookTimeout: 600_000,
  },
})

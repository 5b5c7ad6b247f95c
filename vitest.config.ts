// Test settings: unit tests lie beside their file in src/, whole-system tests in test/. test/peers and test/cluster run apart.
import { defineConfig } from 'vitest/config'

/** Tests that use all cores themselves: side by side they would take each other's time, not save any. */
const wholeMachine = [
  'test/real-data/**/*.test.ts',
  'test/real-weights*.test.ts',
  'test/served-*.test.ts',
  'test/sampler-equivalence.test.ts',
]

export default defineConfig({
  test: {
    pool: 'forks', // onnxruntime-node aborts under vmThreads
    testTimeout: 60_000,
    globalSetup: 'test/temporary-folder.ts',
    projects: [
      {
        extends: true,
        test: {
          name: 'side by side',
          include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
          exclude: ['test/peers/**', 'test/cluster/**', 'node_modules/**', ...wholeMachine],
          maxWorkers: 3,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: { name: 'alone', include: wholeMachine, maxWorkers: 1, sequence: { groupOrder: 1 } },
      },
    ],
  },
})

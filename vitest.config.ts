// Test settings: unit tests lie beside their file in src/, whole-system tests in test/. test/peers runs apart (npm run test:peers).
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    exclude: ['test/peers/**', 'node_modules/**'],
    pool: 'forks', // onnxruntime-node aborts under vmThreads
    maxWorkers: 2,
    testTimeout: 60_000,
  },
})

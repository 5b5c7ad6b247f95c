// Test settings: unit tests lie beside their file in src/, whole-system tests in test/. test/peers and test/cluster run apart.
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Tests that use all cores themselves: side by side they would take each other's time, not save any. */
const wholeMachine = [
  'test/real-data/**/*.test.ts',
  'test/real-weights*.test.ts',
  'test/served-*.test.ts',
  'test/sampler-equivalence.test.ts',
]

/**
 * Tests that take half a minute, in processes that mostly compute or wait on one core: begun last, they would end alone. Vitest
 * begins with the longest too, but knows them only from a run before.
 */
const longest = ['pipeline-kill', 'cluster-simulated', 'pipeline-simulated', 'pipeline-started', 'server-keeper']

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const group = ({ project }: TestSpecification) => project.config.sequence.groupOrder
    const isLong = ({ moduleId }: TestSpecification) => longest.some((name) => moduleId.endsWith(`/${name}.test.ts`))
    const sorted = await super.sort(files)
    return sorted.sort((a, b) => group(a) - group(b) || Number(isLong(b)) - Number(isLong(a)))
  }
}

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
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

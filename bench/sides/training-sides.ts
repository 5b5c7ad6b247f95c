// What all comparisons of training share: amounts, the job of ours, and sides of ours and of others.
import { linearLayers } from '../../src/model/weights.ts'
import type { Side } from './comparison.ts'
import { howToInstall, ownProgram, pythonProgram, threads } from './programs.ts'

export interface Amounts {
  /** A folder for data; removed afterwards. */
  folder: string
  /** The model of Qwen2.5-0.5B's shape. */
  model: string
  /** Steps that are measured, and those before that are not. */
  steps: number
  warm: number
  /** Pairs of an epoch: ours, and what other sides take of them. */
  pairs: number
  peerPairs: number
}

export const lora = { kind: 'lora' as const, rank: 16, alpha: 32, targetModules: Object.keys(linearLayers) }

export const commonJob = {
  evaluationFiles: {},
  accumulate: 1,
  learningRate: 1e-4,
  finalLearningRateShare: 0.1,
  schedule: 'cosine' as const,
  warmupSteps: 1,
  weightDecay: 0,
  adamBeta1: 0.9,
  adamBeta2: 0.999,
  adamEpsilon: 1e-8,
  clipNorm: 1,
  evaluateEverySteps: 1_000_000,
  checkpointEverySteps: 1_000_000,
  keepCheckpoints: 1,
  keep: 'last' as const,
  snapshotSteps: [],
  seed: 1,
  threads,
}

export const formats = { float32: 'float32', bf16: 'bfloat16' } as const

export function ours(key: string, name: string, job: object): Side {
  return { key, name, program: ownProgram('train-ours.ts'), job }
}

export function peer(key: string, name: string, job: object): Side {
  return { key, name, program: pythonProgram('torch_tools.py'), job, missing: howToInstall }
}

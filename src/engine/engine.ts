// The engine's interface: a training job in, typed training events out.
import type { TrainingEvent } from '../base/progress.ts'

/** A model on disk: a Hugging Face folder (config.json, safetensors, tokenizer.json) and, where there is one, a PEFT adapter folder on top. */
export interface ModelReference {
  folder: string
  adapter?: string
  /** nf4: the linear layers' weights as NF4 holds them (QLoRA); int8: as 8-bit integers, and their products of integers; float32, and left out: as they are. */
  base?: 'float32' | 'nf4' | 'int8'
  /** Its name in a run: base, cpt, ... */
  name?: string
  /** The same model before it was merged: an adapter, and the folder of the run's base, on which it was learnt. */
  unmerged?: { folder: string; adapter: string }
}

/** Which weights learn. */
export type TrainingMethod = { kind: 'full' } | LoraMethod

/** Low-rank adapters on frozen weights. */
export interface LoraMethod {
  kind: 'lora'
  rank: number
  alpha: number
  /** The scale of the adapters is alpha / sqrt(rank) in place of alpha / rank. */
  rankStabilised?: boolean
  /** The share of their inputs that adapters leave out in training, drawn anew in each step; below 1. */
  dropout?: number
  /** Names of linear layers, e.g. 'q_proj'. */
  targetModules: string[]
}

/** What is minimised; the paper's symbols are in the comments. */
export type Objective =
  | { kind: 'next-token' }
  | {
      kind: 'preference'
      /** rpo: DPO term + alpha x NLL of chosen; dpo: alpha 0; winners: the NLL term alone. */
      loss: 'rpo' | 'dpo' | 'winners'
      beta: number
      alpha: number
      /** The reference model p_ref; its log-probabilities are computed once, before the first step. */
      reference: ModelReference
    }

/** A training job: flat values and file names only, so that an engine elsewhere can run the same one. */
export interface TrainingJob {
  /** The model that training starts from. */
  model: ModelReference
  method: TrainingMethod
  objective: Objective
  /** JSON Lines of TokenRow (next-token) or PairRow (preference). */
  trainingFile: string
  /** Held-out sets in the same form: losses under these names every `evaluateEverySteps`, before the first and after the last step. */
  evaluationFiles: Record<string, string>
  /** Where checkpoints and the result go. The result: a model folder (full) or a PEFT adapter folder (LoRA) at `<outputFolder>/result`, renamed into place last. */
  outputFolder: string
  /** Passes over the data, or optimizer steps: one of the two. */
  epochs?: number
  steps?: number
  /** Next-token: at most this many tokens a micro-batch (padding included); preference: pairs an optimizer step. */
  batch: { tokens: number; sequenceTokens: number } | { pairs: number; maxTokens: number }
  /** Micro-batches an optimizer step. */
  accumulate: number
  learningRate: number
  /** The learning rate falls from its peak to this share of it. */
  finalLearningRateShare: number
  schedule: 'cosine' | 'linear' | 'constant'
  warmupSteps: number
  weightDecay: number
  adamBeta1: number
  adamBeta2: number
  adamEpsilon: number
  /** Global gradient norm that is clipped to. */
  clipNorm: number
  /**
   * Whether the backward pass computes each layer again instead of keeping what the forward pass computed: the same bits for
   * about a third more time and much less memory. auto, and left out: where memory would not do otherwise.
   */
  recompute?: 'none' | 'layers' | 'auto'
  evaluateEverySteps: number
  checkpointEverySteps: number
  /** How many checkpoints stay on disk. */
  keepCheckpoints: number
  /** Which weights become the result: the last step's, or those with the lowest loss on the first evaluation set. */
  keep: 'last' | 'best'
  /** Weights at these steps are kept besides, in the result's own form, at `<outputFolder>/snapshots/step-<n>`. */
  snapshotSteps: number[]
  seed: number
  threads: number
}

/** What a job will need, for doctor and the dry run. */
export interface Estimate {
  /** Peak resident memory, bytes. */
  bytes: number
  seconds: number
  diskBytes: number
  /** Training jobs on the embedded engine: what each way of `recompute` takes; `bytes` and `seconds` above are the chosen one's. */
  recompute?: Record<'none' | 'layers', { bytes: number; seconds: number }>
  /** Optimizer steps in all, counted from the job's own data as train() does; training jobs always have it. */
  steps?: number
}

/** Trains. A job whose `outputFolder` holds checkpoints of the same job goes on from the last complete one. */
export interface Engine {
  /**
   * Runs the job. Aborting the signal saves a checkpoint and ends the stream with the signal's reason.
   * The stream always tells the whole training: after training-start, a resumed job first yields again the step and evaluation
   * events of the steps before `firstStep`. So whoever records events starts a new record at each training-start.
   * Throws a UserError on bad data, a model that does not fit, or a loss that is no number (naming step and batch; the last good checkpoint stays).
   */
  train(job: TrainingJob, signal: AbortSignal): AsyncIterable<TrainingEvent>
  estimate(job: TrainingJob): Promise<Estimate>
}

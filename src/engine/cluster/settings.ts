// Where and how the cluster engine runs its jobs: flat values, as a recipe's engine section gives them.

export interface ClusterSettings {
  /** here: torchrun on this machine; slurm: a batch job. */
  place: 'here' | 'slurm'
  /** The training environment (Python's): a folder with bin/torchrun. */
  environment: string
  nodes: number
  /** Processes a node, one a GPU. */
  processes: number
  device: 'gpu' | 'cpu'
  precision: 'bf16' | 'float32'
  /** none: each process holds the whole model; fsdp, zero3: the processes share it out. */
  sharding: 'none' | 'fsdp' | 'zero3'
  /** The frozen base as NF4 (QLoRA). */
  fourBit: boolean
  /** Activations are computed again in the backward pass in place of being kept. */
  recomputation: boolean
  flashAttention: boolean
  /** How often a job that fails is started again from its last whole checkpoint, without progress in between. */
  retries: number
  /** Slurm's; left out where the cluster has a default. */
  partition?: string | undefined
  account?: string | undefined
  /** HH:MM:SS or D-HH:MM:SS, as sbatch reads it. */
  timeLimit?: string | undefined
  /** Further options of sbatch, as it takes them: --mem=0. */
  batchOptions?: readonly string[]
  /** Before the time limit, seconds: training is asked for a checkpoint then. */
  warningSeconds: number
  /** Shell lines before the training, e.g. 'module load cuda'. */
  setup: readonly string[]
  /** What the training command is put behind, e.g. 'apptainer exec --nv image.sif'. */
  container?: string | undefined
}

/** All processes of a job. */
export function worldSize({ nodes, processes }: ClusterSettings): number {
  return nodes * processes
}

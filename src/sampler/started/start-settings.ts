// Where and how a server is started: flat values, as a recipe's sampler and engine sections give them.

export interface StartSettings {
  /** here: a process on this machine; slurm: a batch job of one node. */
  place: 'here' | 'slurm'
  /** The serving environment (Python's): a folder with bin/vllm. */
  environment: string
  /** A shell line in place of vLLM: {folder}, {name}, {host}, {port} and {gpus} are filled in. */
  command?: string | undefined
  /** Further arguments of `vllm serve`. */
  arguments: readonly string[]
  /** loopback: reached from its own machine only; network: from every machine that sees it, with a key. */
  listen: 'loopback' | 'network'
  /** A free one when left out. */
  port?: number | undefined
  /** GPUs that share the model; 0 where there are none. */
  gpus: number
  /** How long it may take until it answers, once it runs. */
  startSeconds: number
  /** How often one that was killed is started again, without an answer in between. */
  retries: number
  /** Slurm's; left out where the cluster has a default. */
  partition?: string | undefined
  /** Further options of sbatch. */
  batchOptions?: readonly string[]
  account?: string | undefined
  timeLimit?: string | undefined
  /** Shell lines before it starts. */
  setup: readonly string[]
  /** What the command is put behind. */
  container?: string | undefined
}

/** What a server is started for. */
export interface Served {
  /** The model's folder, absolute. */
  folder: string
  /** The name that it is served under. */
  name: string
  /** The largest rank of adapters that it must take; none when left out. */
  adapterRank?: number
}

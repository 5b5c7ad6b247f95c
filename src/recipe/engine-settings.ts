// Settings of where training runs: in this process, or on GPUs through the cluster engine.
import { z } from 'zod'
import { count, countOrZero, path, setting } from './setting.ts'

export const engineSettings = z.strictObject({
  kind: setting(
    z.enum(['embedded', 'cluster']).default('embedded'),
    'embedded: in this process, on the CPU; cluster: on GPUs by LLaMA-Factory. It changes where training runs, and nothing else; the settings below are of cluster.',
  ),
  place: setting(
    z.enum(['here', 'slurm']).default('here'),
    'here: processes on this machine (torchrun); slurm: batch jobs.',
  ),
  environment: path(
    'The training environment: a folder with bin/torchrun, that of `meikai cluster install` when left out.',
  ).optional(),
  card: setting(
    z.string().min(1).default('A100-80GB'),
    'The GPU, for the arithmetic of memory and time: H200, H100, A100-80GB, A100-40GB, L40S, RTX-A6000, RTX-4090.',
  ),
  nodes: setting(count().default(1), 'Nodes of a job.'),
  processes: setting(count().default(1), 'Processes a node, one a GPU. They divide the rows (or pairs) of a step.'),
  preferProcesses: setting(count().optional(), 'Processes a node of preference training, where they are not as many.'),
  device: setting(z.enum(['gpu', 'cpu']).default('gpu'), 'cpu: for trials without a GPU.'),
  precision: setting(
    z.enum(['bf16', 'float32']).optional(),
    'Of the computation; what learns is float32 always. bf16 on GPUs and float32 on the CPU when left out.',
  ),
  sharding: setting(
    z.enum(['none', 'fsdp', 'zero3']).optional(),
    'none: each GPU holds the model; fsdp, zero3 (DeepSpeed): they share it. none where it fits the card, when left out.',
  ),
  flashAttention: setting(z.boolean().default(false), 'FlashAttention 2, where the environment has it.'),
  partition: setting(z.string().min(1).optional(), "Slurm's partition."),
  account: setting(z.string().min(1).optional(), "Slurm's account."),
  timeLimit: setting(
    z
      .string()
      .regex(/^(\d+-)?\d{1,2}:\d{2}:\d{2}$/, 'must be HH:MM:SS or D-HH:MM:SS.')
      .optional(),
    'Of a Slurm job, HH:MM:SS or D-HH:MM:SS. A training that needs longer goes on in the next job.',
  ),
  batchOptions: setting(
    z.array(z.string().regex(/^--[a-z]/, 'must be an option of sbatch, e.g. --mem=0.')).default([]),
    'Further options of sbatch, one a string: --cpus-per-task=32 (processes of a node share them), --mem=0, --qos=long.',
  ),
  warningSeconds: setting(
    count().default(300),
    'How long before the time limit a checkpoint is asked for: longer than a step and its saving.',
    { unit: 'seconds' },
  ),
  retries: setting(
    countOrZero().default(2),
    'How often a job that was killed is started again without progress in between; failures that would come again are not.',
  ),
  setup: setting(
    z.array(z.string().min(1)).default([]),
    "Shell lines before training on each node, e.g. 'module load cuda'.",
  ),
  container: setting(
    z.string().min(1).optional(),
    "What the training command is put behind, e.g. 'apptainer exec --nv training.sif'.",
  ),
})

// LLaMA-Factory's configuration of a job, as YAML that people can read and start by hand.
import type { TrainingJob } from '../engine.ts'
import { describeSchedule } from './schedule.ts'
import { type ClusterSettings, worldSize } from './settings.ts'
import type { TrainingRows } from './training-rows.ts'

/** Names below the job's cluster folder. */
export const clusterFiles = {
  data: 'data',
  adapter: 'initial-adapter',
  output: 'output',
  configuration: 'train.yaml',
  script: 'job.sh',
  nodeScript: 'node.sh',
  deepspeed: 'zero3.json',
  log: 'log.txt',
  exit: 'exit.json',
} as const

export interface ConfigurationInput {
  job: TrainingJob
  settings: ClusterSettings
  rows: TrainingRows
  /** The job's cluster folder, absolute. */
  folder: string
  /** Folder of the checkpoint to go on from. */
  resumeFrom?: string | undefined
}

type Value = string | number | boolean | Record<string, unknown>
/** A line: key, value, and why. A string alone is a heading. */
type Line = string | [key: string, value: Value | undefined, why?: string]

/** The text of train.yaml. */
export function writeConfiguration(input: ConfigurationInput): string {
  const { job } = input
  const lines: Line[] = [
    'Written by meikai. To run it by hand: bash job.sh (it goes on from the last checkpoint in output_dir).',
    '',
    'What is trained',
    ...modelLines(input),
    '',
    job.objective.kind === 'preference'
      ? 'Preference training: -log sigmoid(beta x margin) - alpha x mean log p(chosen), each pair for itself'
      : 'Next-token training on documents that are packed, but do not see each other',
    ...objectiveLines(input),
    '',
    'Data: token ids and labels as meikai made them, in the order of training; nothing is tokenised, cut or shuffled here',
    ...dataLines(input),
    '',
    'Optimization: Adam and the schedule as the embedded engine has them',
    ...optimizationLines(input),
    '',
    'Precision and memory',
    ...memoryLines(input),
    '',
    'Progress and checkpoints',
    ...progressLines(input),
  ]
  return `${lines
    .map(print)
    .join('\n')
    .replace(/\n{3,}/g, '\n\n')}\n`
}

function print(line: Line): string {
  if (typeof line === 'string') return line === '' ? '' : `# ${line}`
  const [key, value, why] = line
  if (value === undefined) return ''
  return `${key}: ${JSON.stringify(value)}${why === undefined ? '' : `  # ${why}`}`
}

function modelLines({ job, settings, folder, resumeFrom }: ConfigurationInput): Line[] {
  const { model, method } = job
  if (method.kind === 'full') {
    return [
      ['model_name_or_path', model.folder],
      ['finetuning_type', 'full'],
    ]
  }
  return [
    ['model_name_or_path', model.folder],
    // Of an adapter, transformers' checkpoints under FSDP hold the first process's part alone; PEFT's file beside it is whole.
    settings.sharding === 'fsdp' && resumeFrom !== undefined
      ? ['adapter_name_or_path', resumeFrom, "the checkpoint's"]
      : ['adapter_name_or_path', `${folder}/${clusterFiles.adapter}`, 'drawn from the seed by meikai: its B is 0'],
    ['finetuning_type', 'lora'],
    ['lora_rank', method.rank],
    ['lora_alpha', method.alpha],
    ['lora_dropout', method.dropout ?? 0],
    ['use_rslora', method.rankStabilised || undefined],
    ['lora_target', method.targetModules.join(',')],
  ]
}

function objectiveLines({ job, settings }: ConfigurationInput): Line[] {
  const { objective, model } = job
  if (objective.kind === 'next-token') {
    return [
      [
        'stage',
        'sft',
        'pt would label end-of-sequence tokens as padding where the two are one, and let documents see each other',
      ],
      ['neat_packing', true],
    ]
  }
  const second = objective.reference.folder !== model.folder || job.method.kind === 'full'
  return [
    ['stage', 'dpo'],
    ['pref_loss', 'sigmoid'],
    [
      'pref_beta',
      objective.loss === 'winners' ? 0 : objective.beta,
      objective.loss === 'winners'
        ? 'winners only: the first term is a constant log 2, taken off the loss again'
        : undefined,
    ],
    ['pref_ftx', objective.loss === 'dpo' ? 0 : objective.alpha, 'alpha'],
    ['ref_model', second ? objective.reference.folder : undefined, 'a second copy'],
    ['ref_model_quantization_bit', second && settings.fourBit ? 4 : undefined],
    ...(second ? [] : ['The reference is the model above with the adapter off: just what training starts from.']),
  ]
}

function dataLines({ job, rows, folder }: ConfigurationInput): Line[] {
  const sets = Object.keys(job.evaluationFiles)
  return [
    ['tokenized_path', `${folder}/${clusterFiles.data}`],
    ['dataset', 'train', 'must have a name, though the tokens come from tokenized_path'],
    ['eval_dataset', sets.length === 0 ? undefined : sets.join(',')],
    ['template', 'empty'],
    ['cutoff_len', rows.longest + 1],
    ['disable_shuffling', true],
    ['dataloader_num_workers', 0],
  ]
}

function optimizationLines({ job, rows, settings }: ConfigurationInput): Line[] {
  const rate = describeSchedule(job, rows.steps)
  return [
    ['num_train_epochs', 1, 'every pass over the data is laid out in it'],
    ['max_steps', rows.steps],
    ['per_device_train_batch_size', 1],
    ['per_device_eval_batch_size', 1],
    [
      'gradient_accumulation_steps',
      rows.rowsPerStep / worldSize(settings),
      `x ${worldSize(settings)} processes = ${rows.rowsPerStep} rows a step`,
    ],
    ['learning_rate', rate.learningRate],
    ['lr_scheduler_type', rate.type],
    ['lr_scheduler_kwargs', rate.settings],
    ['warmup_steps', rate.warmupSteps],
    ['optim', 'adamw_torch'],
    ['weight_decay', job.weightDecay],
    ['adam_beta1', job.adamBeta1],
    ['adam_beta2', job.adamBeta2],
    ['adam_epsilon', job.adamEpsilon],
    ['max_grad_norm', job.clipNorm],
    ['seed', job.seed],
  ]
}

function memoryLines({ settings, folder }: ConfigurationInput): Line[] {
  const { precision, fourBit, sharding, recomputation, flashAttention, device } = settings
  return [
    ['bf16', precision === 'bf16' ? true : undefined],
    ['quantization_bit', fourBit ? 4 : undefined],
    ['quantization_type', fourBit ? 'nf4' : undefined],
    ['double_quantization', fourBit ? true : undefined],
    ['flash_attn', flashAttention ? 'fa2' : 'sdpa'],
    ['disable_gradient_checkpointing', !recomputation],
    ['use_cpu', device === 'cpu' ? true : undefined],
    ['ddp_timeout', 7200],
    ['deepspeed', sharding === 'zero3' ? `${folder}/${clusterFiles.deepspeed}` : undefined],
    ['fsdp', sharding === 'fsdp' ? 'full_shard auto_wrap' : undefined],
    ['fsdp_config', sharding === 'fsdp' ? fsdpSettings : undefined],
  ]
}

const fsdpSettings = { fsdp_version: 2, reshard_after_forward: true, cpu_ram_efficient_loading: true }

/** DeepSpeed's configuration: ZeRO-3, everything else as train.yaml says. */
export const deepspeedSettings = {
  train_batch_size: 'auto',
  train_micro_batch_size_per_gpu: 'auto',
  gradient_accumulation_steps: 'auto',
  gradient_clipping: 'auto',
  zero_allow_untested_optimizer: true,
  bf16: { enabled: 'auto' },
  zero_optimization: {
    stage: 3,
    overlap_comm: false,
    contiguous_gradients: true,
    stage3_gather_16bit_weights_on_model_save: true,
  },
}

function progressLines({ job, folder, resumeFrom }: ConfigurationInput): Line[] {
  const sets = Object.keys(job.evaluationFiles)
  const evaluates = sets.length > 0
  const best = job.keep === 'best'
  return [
    ['do_train', true],
    ['output_dir', `${folder}/${clusterFiles.output}`],
    ['logging_steps', 1],
    ['logging_nan_inf_filter', false, 'a loss that is no number is shown, not averaged away'],
    ['disable_tqdm', true],
    ['report_to', 'none'],
    ['plot_loss', false],
    ['eval_strategy', evaluates ? 'steps' : undefined],
    ['eval_steps', evaluates ? job.evaluateEverySteps : undefined],
    ['eval_on_start', evaluates && resumeFrom === undefined ? true : undefined],
    ['save_strategy', 'steps'],
    ['save_steps', best ? job.evaluateEverySteps : job.checkpointEverySteps],
    ['save_total_limit', best ? job.keepCheckpoints + 1 : job.keepCheckpoints],
    ['load_best_model_at_end', best ? true : undefined],
    ['metric_for_best_model', best ? `eval_${sets[0]}_loss` : undefined],
    ['greater_is_better', best ? false : undefined],
    ['enable_jit_checkpoint', true, 'SIGTERM: a checkpoint, then a clean end'],
    ['resume_from_checkpoint', resumeFrom],
  ]
}

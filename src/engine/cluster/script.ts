// The job's scripts: job.sh is what is started (here or by sbatch), node.sh what runs on each node. Plain bash, by hand too.
import { clusterFiles } from './configuration.ts'
import { type ClusterSettings, worldSize } from './settings.ts'

export interface ScriptInput {
  name: string
  settings: ClusterSettings
  /** The job's cluster folder, absolute. */
  folder: string
  /** The attempt's own folder, absolute: configuration, log, exit status. */
  attempt: string
  /** For the rendezvous of the processes. */
  port: number
}

/** Quotes for bash. */
export const quote = (text: string) => `'${text.replaceAll("'", "'\\''")}'`

/** Waits for a child whatever signals are trapped meanwhile (bash ends a wait at each), and exits with its status. */
export const waitFor = (name: string) => `while true; do
  wait "$${name}"
  kill -0 "$${name}" 2> /dev/null && continue
  wait "$${name}"
  exit $?
done
`

/**
 * The script that is started. However it ends it writes exit.json, whole or not at all: {status, endedAt}. What cannot be
 * trapped (SIGKILL, a dead node) leaves none, which tells just that.
 */
export function writeJobScript({ name, settings, attempt, folder }: ScriptInput): string {
  const { place, nodes } = settings
  const isBatch = place === 'slurm'
  const start = isBatch
    ? `srun --ntasks=${nodes} --ntasks-per-node=1 --kill-on-bad-exit=1 bash node.sh`
    : 'bash node.sh'
  const address = isBatch ? '"$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)"' : '127.0.0.1'
  return `#!/usr/bin/env bash
# ${name}: written by meikai. It runs by hand too (bash job.sh), and then goes on from the last checkpoint.
${isBatch ? `${batchLines(name, settings, attempt).join('\n')}\n` : ''}cd ${quote(attempt)} || exit 1

# Who waits for the job reads its end from exit.json, which is there whole or not at all.
finish() {
  printf '{"status": %d, "endedAt": %d}\\n' "$1" "$(date +%s)" > ${clusterFiles.exit}.partial &&
    mv ${clusterFiles.exit}.partial ${clusterFiles.exit}
}
work=
trap 'status=$?; trap - EXIT; finish $status' EXIT
# Asked to end: the nodes save a checkpoint and end by themselves.
trap '[ -n "$work" ] && kill -TERM "$work" 2> /dev/null' TERM INT USR1

export MASTER_ADDR=${address}
${isBatch ? '# srun does not take it over by itself.\n[ -n "$SLURM_CPUS_PER_TASK" ] && export SRUN_CPUS_PER_TASK="$SLURM_CPUS_PER_TASK"\n' : ''}rm -f ${clusterFiles.exit}
mkdir -p ${quote(`${folder}/${clusterFiles.output}`)}
${start} >> ${clusterFiles.log} 2>&1 &
work=$!
${waitFor('work')}`
}

function batchLines(name: string, settings: ClusterSettings, attempt: string): string[] {
  const { nodes, processes, device, partition, account, timeLimit, warningSeconds, batchOptions = [] } = settings
  const options: [string, string | number | undefined][] = [
    ['job-name', name],
    ['nodes', nodes],
    ['ntasks-per-node', 1],
    ['gpus-per-node', device === 'gpu' ? processes : undefined],
    ['partition', partition],
    ['account', account],
    ['time', timeLimit],
    // To the tasks: node.sh on every node.
    ['signal', timeLimit === undefined ? undefined : `USR1@${warningSeconds}`],
    ['output', `${attempt}/${clusterFiles.log}`],
    ['open-mode', 'append'],
  ]
  return directives(options, batchOptions)
}

/** The lines of a batch script for sbatch; options without a value are left out. */
export function directives(
  options: readonly (readonly [string, string | number | undefined])[],
  further: readonly string[],
): string[] {
  const lines = options.flatMap(([key, value]) => (value === undefined ? [] : [`--${key}=${value}`]))
  // meikai starts a job again itself, when it has looked at what there is.
  return [...lines, '--no-requeue', ...further].map((line) => `#SBATCH ${line}`)
}

/** What the processes that train are known by: their command line. The agent's differs. */
export function rankPattern(attempt: string): string {
  const escaped = `${attempt}/${clusterFiles.configuration}`.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
  return `-u -m llamafactory[.]launcher ${escaped}`
}

/** What LLaMA-Factory and accelerate read from the environment alone. Only whole state dictionaries become PEFT's files. */
const fsdpVariables = [
  'ACCELERATE_USE_FSDP=true FSDP_VERSION=2 FSDP_CPU_RAM_EFFICIENT_LOADING=true FSDP_STATE_DICT_TYPE=FULL_STATE_DICT',
]

/** What runs on each node: torchrun over its processes. A signal becomes a checkpoint; whatever happens, no process stays behind. */
export function writeNodeScript({ settings, folder, attempt, port }: ScriptInput): string {
  const { environment, nodes, processes, container, setup, device, sharding } = settings
  const torchrun = [
    `${container === undefined ? '' : `${container} `}${quote(`${environment}/bin/torchrun`)}`,
    `--nnodes ${nodes} --node-rank "$\{SLURM_NODEID:-0}" --nproc-per-node ${processes}`,
    `--master-addr "$\{MASTER_ADDR:-127.0.0.1}" --master-port ${port}`,
    `-m llamafactory.launcher ${quote(`${attempt}/${clusterFiles.configuration}`)}`,
  ]
  const variables = [
    `PATH=${quote(`${environment}/bin`)}:"$PATH"`,
    'PYTHONUNBUFFERED=1 TOKENIZERS_PARALLELISM=false DISABLE_VERSION_CHECK=1',
    'HF_HUB_OFFLINE=1 HF_DATASETS_OFFLINE=1 TRANSFORMERS_OFFLINE=1',
    device === 'gpu'
      ? 'PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True'
      : 'CUDA_VISIBLE_DEVICES= ACCELERATE_USE_CPU=true',
    ...(sharding === 'fsdp' ? fsdpVariables : []),
  ]
  return `#!/usr/bin/env bash
# One node's part of ${worldSize(settings)} processes; job.sh starts it.
cd ${quote(folder)} || exit 1
${setup.map((line) => `${line}\n`).join('')}${variables.map((line) => `export ${line}\n`).join('')}
# The processes that train are known by their command line.
ranks=${quote(rankPattern(attempt))}
# SIGTERM makes them save a checkpoint and end.
trap 'pkill -TERM -f -- "$ranks"' TERM USR1
trap 'status=$?; trap - EXIT; pkill -KILL -f -- "$ranks"; exit $status' EXIT

# Slurm sends its warning to every process of the step, which would end those that do not know it: this script alone acts.
(trap '' USR1; exec ${torchrun.join(' \\\n  ')}) &
agent=$!
${waitFor('agent')}`
}

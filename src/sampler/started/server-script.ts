// The server's script: what is started here or by sbatch. Plain bash, by hand too.
import { clusterFiles } from '../../engine/cluster/configuration.ts'
import { directives, quote, waitFor } from '../../engine/cluster/script.ts'
import { vllmRanks } from '../../formats/adapter.ts'
import type { Served, StartSettings } from './start-settings.ts'

export const serverFiles = {
  script: clusterFiles.script,
  log: clusterFiles.log,
  exit: clusterFiles.exit,
  /** {host, port}, once it is known. */
  address: 'address.json',
  /** Another number every few seconds, as long as somebody needs the server. */
  lease: 'lease',
  /** What calls must carry, where it listens to the network. */
  key: 'key',
} as const

export interface ServerScriptInput {
  name: string
  served: Served
  settings: StartSettings
  /** This start's own folder, absolute. */
  folder: string
  /** Without a sign of meikai for so long it ends by itself. */
  leaseSeconds: number
}

/** The first port that is tried where none is named. */
const firstPort = 8000
/** Files that servers on one machine, whoever's, hold a lock on; the port's number follows. */
const portLocks = '/tmp/meikai-port-'

/**
 * The script. However it ends it writes exit.json, unless it is killed at once; what it started never outlives it, and
 * it does not outlive its lease.
 */
export function writeServerScript({ name, served, settings, folder, leaseSeconds }: ServerScriptInput): string {
  const { place, environment, listen, port, setup } = settings
  const keyed = listen === 'network' ? [`VLLM_API_KEY="$(cat ${serverFiles.key})"`] : []
  const variables = [
    `PATH=${quote(`${environment}/bin`)}:"$PATH"`,
    'PYTHONUNBUFFERED=1 HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1',
    'HF_HUB_DISABLE_TELEMETRY=1 VLLM_NO_USAGE_STATS=1 DO_NOT_TRACK=1',
    ...(served.adapterRank === undefined ? [] : ['VLLM_ALLOW_RUNTIME_LORA_UPDATING=True']),
    ...keyed,
  ]
  const ports = port === undefined ? `$(seq ${firstPort} ${firstPort + 99})` : String(port)
  const inUse = port === undefined ? `ports ${firstPort} to ${firstPort + 99} are` : `port ${port} is`
  return `#!/usr/bin/env bash
# ${name}: written by meikai. It serves ${served.folder.replaceAll('\n', ' ')}
# as long as somebody writes another number into the file \`lease\` every ${leaseSeconds} seconds.
${place === 'slurm' ? `${batchLines(name, settings, folder).join('\n')}\n` : ''}cd ${quote(folder)} || exit 1

# Jobs in groups of their own, to be ended whole.
set -m
server=
end_all() {
  [ -n "$server" ] && kill -KILL -- "-$server" 2> /dev/null
  # Here this script leads a session: what left the group is in it still, and so is the script.
  pkill -KILL -s $$
}
finish() {
  printf '{"status": %d, "endedAt": %d}\\n' "$1" "$(date +%s)" > ${serverFiles.exit}.partial &&
    mv ${serverFiles.exit}.partial ${serverFiles.exit}
  end_all
}
trap 'status=$?; trap - EXIT; finish $status' EXIT
trap '[ -n "$server" ] && kill -TERM "$server" 2> /dev/null' TERM INT

${setup.map((line) => `${line}\n`).join('')}${variables.map((line) => `export ${line}\n`).join('')}
port=
for one in ${ports}; do
  (exec 3<> "/dev/tcp/127.0.0.1/$one") 2> /dev/null && continue
  # A server that still loads does not listen yet: until it is gone, its port is told by a lock.
  { exec 9> ${portLocks}$one; } 2> /dev/null || continue
  ! command -v flock > /dev/null || flock -n 9 || continue
  port=$one
  break
done
[ -n "$port" ] || { echo "meikai: ${inUse} in use on $(hostname)"; exit 1; }
printf '{"host": "%s", "port": %d}\\n' "$(hostname)" "$port" > ${serverFiles.address}.partial &&
  mv ${serverFiles.address}.partial ${serverFiles.address}

${serverCommand(served, settings)} &
server=$!

# The lease; and should this script be killed, nothing of it stays behind.
(
  said= silent=0
  while kill -0 $$ 2> /dev/null; do
    sleep 2
    now=$(cat ${serverFiles.lease} 2> /dev/null)
    if [ "$now" = "$said" ]; then silent=$((silent + 2)); else said=$now silent=0; fi
    [ "$silent" -lt ${leaseSeconds} ] && continue
    echo "meikai: nobody has needed this server for ${leaseSeconds} seconds; it ends"
    kill -TERM "$server" 2> /dev/null
    sleep 20
    kill -KILL "$server" 2> /dev/null
  done
  end_all
) &

${waitFor('server')}`
}

function batchLines(name: string, settings: StartSettings, folder: string): string[] {
  const { gpus, partition, account, timeLimit, batchOptions = [] } = settings
  const options: [string, string | number | undefined][] = [
    ['job-name', name],
    ['nodes', 1],
    ['ntasks', 1],
    ['gpus-per-node', gpus > 0 ? gpus : undefined],
    ['partition', partition],
    ['account', account],
    ['time', timeLimit],
    ['output', `${folder}/${serverFiles.log}`],
    ['open-mode', 'append'],
  ] as const
  return directives(options, batchOptions)
}

function serverCommand({ folder, name, adapterRank }: Served, settings: StartSettings): string {
  const { environment, command, container, listen, gpus } = settings
  const host = listen === 'network' ? '0.0.0.0' : '127.0.0.1'
  const prefix = container === undefined ? '' : `${container} `
  if (command !== undefined) {
    const values: Record<string, string> = { folder: quote(folder), name: quote(name), host, port: '"$port"' }
    return `${prefix}${command.replace(/\{(folder|name|host|port|gpus)\}/g, (_, key: string) => values[key] ?? String(gpus))}`
  }
  const rank = vllmRanks.find((one) => one >= (adapterRank ?? 0))
  const words = [
    `${prefix}${quote(`${environment}/bin/vllm`)} serve ${quote(folder)}`,
    `--served-model-name ${quote(name)}`,
    `--host ${host} --port "$port"`,
    // Nothing is taken from the model's generation_config.json: calls say all of it.
    '--generation-config vllm',
    ...(gpus > 1 ? [`--tensor-parallel-size ${gpus}`] : []),
    ...(adapterRank === undefined ? [] : [`--enable-lora --max-lora-rank ${rank ?? adapterRank}`]),
    ...settings.arguments.map(quote),
  ]
  return words.join(' \\\n  ')
}

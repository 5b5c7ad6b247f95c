// The doctor on the cluster engine: its environment, its GPUs or its Slurm, and what each training needs of a GPU.
import type { KeyPath } from '../../base/document.ts'
import { formatBytes } from '../../base/format.ts'
import { requireCard } from '../../engine/cluster/choose.ts'
import {
  describeInterconnect,
  type EnvironmentKind,
  inspectEnvironment,
  listGpus,
} from '../../engine/cluster/environment.ts'
import { run } from '../../engine/cluster/launcher.ts'
import { findPort, nodePorts } from '../../engine/cluster/ports.ts'
import type { LoadedRecipe } from '../../recipe/recipe.ts'
import { outlook } from '../outlook.ts'
import { clusterSettings } from '../tools.ts'
import { attempt, type Finding } from './finding.ts'

export async function* inspectCluster(
  { recipe, locate }: LoadedRecipe,
  runsFolder: string,
): AsyncGenerator<Finding, undefined> {
  const { environment, place, device, partition, sharding, flashAttention } = clusterSettings(recipe)
  const card = yield* attempt('cluster', ['engine', 'card'], locate, async () => requireCard(recipe.engine.card))
  const more = [...(sharding === 'zero3' ? ['deepspeed'] : []), ...(flashAttention ? ['flash-attn'] : [])]
  yield* inspectPackages('training', environment, ['engine', 'environment'], locate, more)
  if (place === 'slurm') yield* inspectSlurm(locate, partition)
  else if (device === 'gpu' && card !== undefined) yield* inspectGpus(recipe.engine.processes, card)
  yield* inspectPorts(locate, place, recipe.engine.nodes)
  if (card === undefined) return undefined
  const plan = yield* attempt('memory', ['engine'], locate, () => outlook(recipe, runsFolder))
  for (const { id, arithmetic } of plan?.stages ?? []) {
    if (arithmetic !== undefined) yield { severity: 'good', subject: 'memory', message: `${id}: ${arithmetic}` }
  }
  return undefined
}

/** Whether an environment has what it needs, in the versions that were tried. */
export async function* inspectPackages(
  kind: EnvironmentKind,
  environment: string,
  at: KeyPath,
  locate: LoadedRecipe['locate'],
  more: readonly string[] = [],
): AsyncGenerator<Finding> {
  const found = yield* attempt('cluster', at, locate, () => inspectEnvironment(kind, environment, more))
  if (found === undefined) return
  const versions = Object.entries(found.versions).map(([name, version]) => `${name} ${version}`)
  yield { severity: 'good', subject: 'cluster', message: `${environment}: ${versions.join(', ')}` }
  for (const problem of found.problems) {
    const severity = problem.endsWith('is missing') ? 'error' : 'warning'
    const own = more.find((name) => problem.startsWith(`${name} `))
    const mend =
      own === undefined ? `See: meikai cluster install ${kind}` : `Add it: ${environment}/bin/pip install ${own}`
    const message = `${environment}: ${problem}. ${mend}`
    yield { severity, subject: 'cluster', message }
  }
}

async function* inspectGpus(processes: number, card: { name: string; bytes: number }): AsyncGenerator<Finding> {
  const gpus = await listGpus()
  if (gpus.length < processes) {
    const message = `engine.processes: ${processes}, one a GPU, but nvidia-smi lists ${gpus.length} here. Lower it, or set engine.place: slurm.`
    yield { severity: 'error', subject: 'cluster', message }
    return
  }
  const links = await describeInterconnect()
  const names = [...new Set(gpus.map(({ name, bytes }) => `${name}, ${formatBytes(bytes)}`))].join('; ')
  const message = `${gpus.length} GPUs: ${names}${links === '' ? '' : `; connected by ${links}`}`
  yield { severity: 'good', subject: 'cluster', message }
  for (const [i, gpu] of gpus.slice(0, processes).entries()) {
    if (gpu.bytes < 0.98 * card.bytes) {
      const less = `GPU ${i} has ${formatBytes(gpu.bytes)}, less than engine.card: ${card.name} (${formatBytes(card.bytes)}).`
      yield { severity: 'warning', subject: 'cluster', message: less }
    }
    if (gpu.freeBytes < 0.9 * gpu.bytes) {
      const used = `GPU ${i} is in use: ${formatBytes(gpu.freeBytes)} of ${formatBytes(gpu.bytes)} are free. A server of yours?`
      yield { severity: 'warning', subject: 'cluster', message: used }
    }
  }
}

/** Where the processes of a job meet: found here, only told of other machines. */
async function* inspectPorts(
  locate: LoadedRecipe['locate'],
  place: 'here' | 'slurm',
  nodes: number,
): AsyncGenerator<Finding> {
  const port = place === 'slurm' ? undefined : yield* attempt('cluster', ['engine', 'place'], locate, findPort)
  const range = `${nodePorts.first} to ${nodePorts.last}`
  if (port !== undefined) {
    yield { severity: 'good', subject: 'cluster', message: `ports: processes meet on a free one, now ${port}` }
  } else if (place === 'slurm' && nodes > 1) {
    const message = `ports: nodes meet on one of ${range} of the first: they must be open between them`
    yield { severity: 'good', subject: 'cluster', message }
  }
}

/** Whether Slurm is there, and offers the partition. */
export async function* inspectSlurm(
  locate: LoadedRecipe['locate'],
  partition: string | undefined,
): AsyncGenerator<Finding> {
  const args = [
    '--noheader',
    '--format=%P %a %l %D %G',
    ...(partition === undefined ? [] : [`--partition=${partition}`]),
  ]
  const answer = yield* attempt('cluster', ['engine', 'place'], locate, () => run('sinfo', args))
  if (answer === undefined) return
  const lines = answer.output.trim()
  if (answer.status === 0 && lines !== '') {
    yield { severity: 'good', subject: 'cluster', message: `Slurm: ${lines.split('\n').join('; ')}` }
    return
  }
  const why = answer.errors.trim() || `no partition ${partition}`
  yield {
    severity: 'error',
    subject: 'cluster',
    message: `${locate(['engine', 'partition'])}: Slurm does not offer it: ${why}.`,
  }
}

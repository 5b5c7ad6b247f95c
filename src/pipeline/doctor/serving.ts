// The doctor on a server that the run starts itself: its environment, its GPUs, its port.
import { createConnection } from 'node:net'
import { listGpus } from '../../engine/cluster/environment.ts'
import type { LoadedRecipe } from '../../recipe/recipe.ts'
import { startSettings } from '../tools.ts'
import { inspectPackages, inspectSlurm } from './cluster.ts'
import type { Finding } from './finding.ts'

export async function* inspectServing({ recipe, locate }: LoadedRecipe): AsyncGenerator<Finding> {
  const { environment, command, gpus, place, partition, port } = startSettings(recipe)
  const at = ['sampler', 'start']
  if (command === undefined) yield* inspectPackages('serving', environment, [...at, 'environment'], locate)
  if (place === 'slurm') {
    // The cluster's own part looks at it for trainings.
    if (recipe.engine.kind === 'embedded') yield* inspectSlurm(locate, partition)
    return
  }
  const found = gpus === 0 ? 0 : (await listGpus()).length
  if (found < gpus) {
    const message = `${locate([...at, 'gpus'])}: sampler.start.gpus: the server is to have ${gpus}, but nvidia-smi lists ${found} here. Lower it, or set engine.place: slurm.`
    yield { severity: 'error', subject: 'cluster', message }
  }
  if (port !== undefined && (await isTaken(port))) {
    const message = `${locate([...at, 'port'])}: sampler.start.port: ${port} is in use on this machine. Leave it out: a free one is taken.`
    yield { severity: 'warning', subject: 'cluster', message }
  }
}

/** Whether something listens there. */
function isTaken(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: '127.0.0.1', port })
    socket.once('error', () => resolve(false))
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
  })
}
